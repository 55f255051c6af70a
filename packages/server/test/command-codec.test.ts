import { memberId } from '@etcd-ts/base';
import { PutRequest, TxnRequest } from '@etcd-ts/protocol';
import { expect, test } from 'vitest';
import { CommandCodec } from '../src/apply/command-codec.ts';
import type { Command } from '../src/apply/command.ts';
import { randomFrom } from './support/random.ts';

const put = PutRequest.fromPartial({ key: new Uint8Array([1]), value: new Uint8Array([2]) });
const codec = (seed: number, member = 7n): CommandCodec =>
  new CommandCodec(memberId(member), randomFrom(seed));

const COMMANDS: readonly Command[] = [
  { kind: 'put', request: put },
  { kind: 'txn', request: TxnRequest.fromPartial({}), caller: { username: 'ü', authRevision: 5 } },
  { kind: 'leaseRevokeExpired', ids: [1n, -3n, 2n ** 62n], term: 4, asOfIndex: 9 },
  {
    kind: 'leaseCheckpoint',
    checkpoints: [{ id: 5n, remainingTtlSeconds: 60 }],
    term: 4,
    asOfIndex: 9,
  },
  { kind: 'publishMember', id: 2n ** 64n - 1n, name: 'n', clientUrls: ['http://h:1'] },
];

test.each(COMMANDS.map((command) => [command.kind, command] as const))(
  '%s comes back as it was',
  (_kind, command) => {
    expect(codec(1).decode(codec(2).encode(3, command))).toEqual(command);
  },
);

test('the wire bytes of a request go into the log as they are', () => {
  const raw = new Uint8Array([...PutRequest.encode(put), 0x78, 0x01]); // an unknown field
  const data = codec(1).encode(1, { kind: 'put', request: put }, raw);
  expect(data.subarray(data.length - raw.length)).toEqual(raw);
});

test('only the life of the member that proposed a command knows it as its own', () => {
  const data = codec(1).encode(42, { kind: 'put', request: put });
  expect(codec(1).ownSequence(data)).toBe(42);
  expect(codec(2).ownSequence(data)).toBe(0);
  expect(codec(1, 8n).ownSequence(data)).toBe(0);
  const late = codec(1).encode(2 ** 40 + 7, { kind: 'put', request: put });
  expect(codec(1).ownSequence(late)).toBe(2 ** 40 + 7);
});

test('a kind or format of a newer version stops the reader', () => {
  const data = codec(1).encode(1, { kind: 'put', request: put });
  const kind = data.slice();
  kind[1] = 200;
  expect(() => codec(1).decode(kind)).toThrow('command kind 200 is unknown to this version');
  const format = data.slice();
  format[0] = 9;
  expect(() => codec(1).decode(format)).toThrow('command format 9, this version knows 1');
});
