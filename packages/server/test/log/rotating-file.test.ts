import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { readRotation, RotatingFile, type Rotation } from '../../src/node/log/rotating-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-log-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const PLAIN: Rotation = {
  maxFileBytes: 20,
  maxAgeMs: 0,
  maxBackups: 0,
  hasLocalTime: false,
  isCompressed: false,
};

/** Writes lines a second apart, each ten bytes long. */
async function written(rotation: Rotation, count: number): Promise<string[]> {
  let nowMs = Date.UTC(2026, 0, 31, 12);
  const file = new RotatingFile(join(folder, 'etcd.log'), rotation, () => new Date(nowMs));
  for (let at = 0; at < count; at++, nowMs += 1_000) file.write(`line ${String(at).padStart(4)}\n`);
  await file.close();
  return readdirSync(folder).sort();
}

test('a line that would make the file too large goes into a new one, and none is lost', async () => {
  const names = await written(PLAIN, 5);
  expect(names).toEqual([
    'etcd-2026-01-31T12-00-02.000.log',
    'etcd-2026-01-31T12-00-04.000.log',
    'etcd.log',
  ]);
  const all = names.map((name) => readFileSync(join(folder, name), 'utf8')).join('');
  expect(all).toBe([0, 1, 2, 3, 4].map((at) => `line ${String(at).padStart(4)}\n`).join(''));
});

test('a file that is there is gone on with, its size counts', async () => {
  await written(PLAIN, 1);
  await written(PLAIN, 2);
  expect(readdirSync(folder)).toHaveLength(2);
});

test('only so many files are kept, the newest', async () => {
  expect(await written({ ...PLAIN, maxBackups: 1 }, 7)).toEqual([
    'etcd-2026-01-31T12-00-06.000.log',
    'etcd.log',
  ]);
});

test('files that were put aside too long ago are removed', async () => {
  expect(await written({ ...PLAIN, maxAgeMs: 3_000 }, 9)).toEqual([
    'etcd-2026-01-31T12-00-06.000.log',
    'etcd-2026-01-31T12-00-08.000.log',
    'etcd.log',
  ]);
});

test('files put aside are compressed, and read the same', async () => {
  const names = await written({ ...PLAIN, isCompressed: true }, 3);
  expect(names).toEqual(['etcd-2026-01-31T12-00-02.000.log.gz', 'etcd.log']);
  const modes = names.map((name) => statSync(join(folder, name)).mode & 0o777);
  expect(modes).toEqual([0o600, 0o600]);
  const text = gunzipSync(readFileSync(join(folder, names[0] as string))).toString();
  expect(text).toBe('line    0\nline    1\n');
});

test("a stranger's file in the folder stays", async () => {
  const stranger = new RotatingFile(join(folder, 'etcd-other.log'), PLAIN);
  stranger.write('mine\n');
  await stranger.close();
  await written({ ...PLAIN, maxBackups: 1 }, 7);
  expect(readdirSync(folder)).toContain('etcd-other.log');
});

test('a file that somebody has removed is made anew when it is full', async () => {
  const path = join(folder, 'etcd.log');
  const file = new RotatingFile(path, PLAIN);
  file.write('line    0\n');
  file.write('line    1\n');
  rmSync(path);
  file.write('line    2\n');
  await file.close();
  expect(readFileSync(path, 'utf8')).toBe('line    2\n');
});

test("a file that cannot be put aside takes more lines, and touches nobody else's file", async () => {
  const path = join(folder, 'etcd.log');
  const now = new Date(Date.UTC(2026, 0, 31, 12));
  // What has the name that the file is to get cannot be replaced.
  mkdirSync(join(folder, 'etcd-2026-01-31T12-00-00.000.log'), { recursive: true });
  const file = new RotatingFile(path, PLAIN, () => now);
  file.write('line    0\n');
  file.write('line    1\n');
  file.write('line    2\n');
  // The system gives the least number that is free.
  const other = openSync(join(folder, 'other'), 'a');
  file.write('line    3\n');
  await file.close();
  closeSync(other);
  expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('');
  expect(readFileSync(path, 'utf8')).toBe('line    0\nline    1\nline    2\nline    3\n');
});

describe('--log-rotation-config-json', () => {
  test("has etcd's fields and units", () => {
    const json =
      '{"maxsize": 3, "maxage": 2, "maxbackups": 7, "localtime": true, "compress": true}';
    expect(readRotation(json)).toEqual({
      maxFileBytes: 3 * 1024 ** 2,
      maxAgeMs: 2 * 24 * 3_600_000,
      maxBackups: 7,
      hasLocalTime: true,
      isCompressed: true,
    });
    expect(readRotation('{}').maxFileBytes).toBe(100 * 1024 ** 2);
  });

  test.each([
    ['{', 'improperly formatted log rotation config: '],
    ['[]', 'invalid log rotation config: [] is no object'],
    [
      '{"maxsize": "large"}',
      'invalid log rotation config: maxsize must be a whole number, is "large"',
    ],
    ['{"compress": 1}', 'invalid log rotation config: compress must be true or false, is 1'],
  ])('%s is refused', (json, message) => {
    expect(() => readRotation(json)).toThrow(message);
  });
});
