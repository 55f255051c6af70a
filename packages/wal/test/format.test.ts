import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MemoryDisk } from '@etcd-ts/wal';
import { command, DIRECTORY, hardState, open } from './wal-fixture.ts';

/** Sixteen bytes a line: offset, hexadecimal, ASCII. */
function dump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = bytes.subarray(at, at + 16);
    const hex = Array.from(part, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = Array.from(part, (byte) =>
      byte > 32 && byte < 127 ? String.fromCharCode(byte) : '.',
    );
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(47)}  ${text.join('')}`);
  }
  return lines.join('\n');
}

test('FORMAT.md shows the bytes that are written', async () => {
  const disk = new MemoryDisk();
  const { wal } = await open(disk);
  await wal.append(
    { entries: [{ index: 1, term: 1, payload: { kind: 'empty' } }], hardState: hardState(1, 0) },
    { sync: true },
  );
  await wal.append({ entries: [command(2, 1, 'hello')] }, { sync: true });
  await wal.close();
  const [name] = await disk.list(DIRECTORY);
  expect(name).toBe('0000000000000000-0000000000000001.wal');
  const file = await disk.open(`${DIRECTORY}/${name}`, 'read');
  const bytes = new Uint8Array(await file.size());
  await file.read(0, bytes);
  const written = bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
  const document = readFileSync(join(import.meta.dirname, '..', 'FORMAT.md'), 'utf8');
  const shown = /```hexdump\n([\s\S]*?)\n```/.exec(document)?.[1];
  expect(shown).toBe(dump(written));
});
