import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '@etcd-ts/base';
import {
  Compare,
  LeaseGrantRequest,
  type MessageCodec,
  PutRequest,
  RangeRequest,
  RangeResponse,
  StatusResponse,
  TxnRequest,
  TxnResponse,
} from '@etcd-ts/protocol';
import { messageFromJson } from '../../src/listeners/gateway/from-json.ts';
import { messageToJson } from '../../src/listeners/gateway/to-json.ts';
import { readJson } from '../../src/listeners/gateway/json-value.ts';

function parse<Message>(codec: MessageCodec<Message>, text: string): Message {
  return messageFromJson(codec, readJson(text)!.value, text);
}

function problem(codec: MessageCodec<unknown>, text: string): string {
  try {
    parse(codec, text);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
}

const range = RangeRequest as MessageCodec<unknown>;

describe('JSON into a message', () => {
  test('names of the .proto file and camelCase names are the same', () => {
    const expected = RangeRequest.fromPartial({
      key: utf8('foo'),
      rangeEnd: utf8('foz'),
      keysOnly: true,
    });
    expect(parse(RangeRequest, '{"key":"Zm9v","range_end":"Zm96","keys_only":true}')).toEqual(
      expected,
    );
    expect(parse(RangeRequest, '{"key":"Zm9v","rangeEnd":"Zm96","keysOnly":true}')).toEqual(
      expected,
    );
  });

  test('64-bit integers come as numbers or strings, ids exact to the last bit', () => {
    expect(parse(RangeRequest, '{"limit":"7","revision":8}')).toMatchObject({
      limit: 7,
      revision: 8,
    });
    expect(parse(RangeRequest, '{"limit":1e2,"revision":"1.50e1"}')).toMatchObject({
      limit: 100,
      revision: 15,
    });
    expect(parse(LeaseGrantRequest, '{"ID":9223372036854775807}').ID).toBe((1n << 63n) - 1n);
    expect(parse(LeaseGrantRequest, '{"ID":"-9223372036854775808"}').ID).toBe(-(1n << 63n));
  });

  test('base64 comes in either alphabet, with padding or without', () => {
    const key = Uint8Array.of(0xfb, 0xff, 0xfe, 0x01);
    for (const text of ['+//+AQ==', '-__-AQ==', '+//+AQ', '-__-AQ']) {
      expect(parse(PutRequest, `{"key":"${text}"}`).key).toEqual(key);
    }
  });

  test('enums come by name or number; unknown names and unknown fields are passed over', () => {
    expect(parse(RangeRequest, '{"sort_order":"DESCEND","sortTarget":3}')).toMatchObject({
      sortOrder: 2,
      sortTarget: 3,
    });
    expect(parse(RangeRequest, '{"sort_order":"BOGUS","bogus":[{}]}')).toEqual(
      RangeRequest.fromPartial({}),
    );
  });

  test('null is the default, and a oneof takes the one that is there', () => {
    expect(parse(RangeRequest, '{"limit":null}').limit).toBe(0);
    expect(parse(Compare, '{"version":null,"mod_revision":"2"}').targetUnion).toEqual({
      $case: 'modRevision',
      value: 2,
    });
    expect(
      parse(TxnRequest, '{"success":[{"requestPut":{"key":"YQ=="}}]}').success[0]?.request,
    ).toMatchObject({
      $case: 'requestPut',
      value: { key: utf8('a') },
    });
  });

  test('what is wrong is said in the words of protojson, with line and column', () => {
    expect(problem(range, '{"key":"Zm 9v"}')).toBe(
      'proto: (line 1:8): invalid value for bytes field key: "Zm 9v"',
    );
    expect(problem(range, '{"key":"Zm9v","limit":"abc"}')).toBe(
      'proto: (line 1:23): invalid value for int64 field limit: "abc"',
    );
    expect(problem(range, '{"key":"Zm9v",\n "limit":1.5}')).toBe(
      'proto: (line 2:10): invalid value for int64 field limit: 1.5',
    );
    expect(problem(range, '{"serializable":"true"}')).toBe(
      'proto: (line 1:17): invalid value for bool field serializable: "true"',
    );
    expect(problem(range, '{"key":"Zm9v","key":"YQ=="}')).toBe(
      'proto: (line 1:15): duplicate field "key"',
    );
    expect(problem(range, '[]')).toBe('proto: syntax error (line 1:1): unexpected token [');
    expect(problem(range, '{"limit":1e999999999}')).toContain(
      'invalid value for int64 field limit',
    );
    expect(problem(Compare as never, '{"create_revision":"0","version":"0"}')).toBe(
      'proto: (line 1:24): error parsing "version", oneof etcdserverpb.Compare.target_union is already set',
    );
  });
});

describe('broken JSON', () => {
  const broken: readonly (readonly [string, string])[] = [
    ['{"key":"Zm9v', 'unexpected EOF'],
    ['{', 'unexpected EOF'],
    ['nul', 'unexpected EOF'],
    ['x', "invalid character 'x' looking for beginning of value"],
    ['{x}', "invalid character 'x' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', `invalid character '"' after object key:value pair`],
    ['[1 2]', "invalid character '2' after array element"],
    ['{"a":tru_}', "invalid character '_' in literal true (expecting 'e')"],
    ['["\\x"]', "invalid character 'x' in string escape code"],
    ['["\n"]', "invalid character '\\n' in string literal"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['['.repeat(2_000), 'exceeded max depth'],
  ];
  for (const [text, message] of broken) {
    test(`${JSON.stringify(text.slice(0, 20))} is refused as Go refuses it`, () => {
      expect(() => readJson(text)).toThrow(message);
    });
  }

  test('values follow one another in one text', () => {
    const text = ' {"a":1}[2] "x"';
    const first = readJson(text)!;
    const second = readJson(text, first.end)!;
    expect([first.value.kind, second.value.kind, readJson(text, second.end)?.value.kind]).toEqual([
      'object',
      'array',
      'string',
    ]);
    expect(readJson(' \n')).toBeUndefined();
  });

  test('whatever JSON.stringify writes is read back as JSON.parse reads it', () => {
    const plain = (value: NonNullable<ReturnType<typeof readJson>>['value']): unknown => {
      switch (value.kind) {
        case 'object':
          return Object.fromEntries(value.members.map((each) => [each.name, plain(each.value)]));
        case 'array':
          return value.items.map(plain);
        case 'string':
          return value.text;
        default:
          return JSON.parse(value.raw);
      }
    };
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(JSON.stringify(plain(readJson(text)!.value))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  test('any text is read or refused, and never hangs', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'{}[]":,\\u0123eE+-.tfnrulsa \n'.split('')) }),
        (text) => {
          let ours: 'ok' | 'bad' = 'ok';
          try {
            const read = readJson(text);
            if (read === undefined || text.slice(read.end).trim() !== '') ours = 'bad';
          } catch {
            ours = 'bad';
          }
          let theirs: 'ok' | 'bad' = 'ok';
          try {
            JSON.parse(text);
          } catch {
            theirs = 'bad';
          }
          expect(ours).toBe(theirs);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('a message as JSON', () => {
  test('zero values are left out, integers of 64 bits are strings, bytes are base64', () => {
    const response = RangeResponse.fromPartial({
      header: { clusterId: (1n << 64n) - 1n, revision: 5 },
      kvs: [{ key: utf8('foo'), modRevision: 5, version: 1, lease: -7n }],
      count: 1,
    });
    expect(messageToJson(RangeResponse, response)).toBe(
      '{"header":{"cluster_id":"18446744073709551615","revision":"5"},"kvs":[{"key":"Zm9v","mod_revision":"5","version":"1","lease":"-7"}],"count":"1"}',
    );
    expect(messageToJson(RangeResponse, RangeResponse.fromPartial({}))).toBe('{}');
    expect(
      messageToJson(StatusResponse, StatusResponse.fromPartial({ dbSize: 3, isLearner: true })),
    ).toBe('{"dbSize":"3","isLearner":true}');
  });

  test('a chosen oneof is written even when it is empty', () => {
    const response = TxnResponse.fromPartial({
      succeeded: true,
      responses: [{ response: { $case: 'responsePut', value: {} } }],
    });
    expect(messageToJson(TxnResponse, response)).toBe(
      '{"succeeded":true,"responses":[{"response_put":{}}]}',
    );
  });

  test('what is written is read back as the same message', () => {
    const bytes = () => fc.uint8Array({ maxLength: 8 });
    const put = fc.record({
      key: bytes(),
      value: bytes(),
      lease: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
      prevKv: fc.boolean(),
    });
    fc.assert(
      fc.property(put, (partial) => {
        const message = PutRequest.fromPartial(partial);
        expect(parse(PutRequest, messageToJson(PutRequest, message))).toEqual(message);
      }),
    );
  });
});
