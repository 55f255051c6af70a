/** A backup in a file, restored to directories. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { restoreBackupFile, type RestoreOptions } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-restore-'));
const whole = join(folder, 'whole.db');
const damaged = join(folder, 'damaged.db');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A backup of etcd, and the same with a page of its keys overwritten. */
beforeAll(() => {
  const source = new URL('backup/etcd-3.5-backup.db.gz', import.meta.url);
  const bytes = gunzipSync(readFileSync(source));
  writeFileSync(whole, bytes);
  for (let at = 2 * 4096; at < bytes.length - 32; at += 4096) bytes.fill(0xff, at + 16, at + 64);
  writeFileSync(damaged, bytes);
});

/** Tries a damaged backup, and then one that is whole. */
async function restoreTwice(options: RestoreOptions, left: () => void): Promise<void> {
  const unchecked = { ...options, skipHashCheck: true };
  await expect(restoreBackupFile(damaged, unchecked)).rejects.toMatchObject({ code: 'DAMAGED' });
  left();
  expect((await restoreBackupFile(whole, options)).revision).toBe(33);
}

test('a restore that fails leaves no directory that was not there, and can be tried again', async () => {
  const dataDir = join(folder, 'new');
  await restoreTwice({ dataDir }, () => expect(readdirSync(folder)).not.toContain('new'));
});

test('a restore that fails leaves empty directories empty', async () => {
  const [dataDir, walDir] = [join(folder, 'data'), join(folder, 'log')];
  mkdirSync(dataDir);
  mkdirSync(walDir);
  await restoreTwice({ dataDir, walDir }, () => {
    expect(readdirSync(dataDir)).toEqual([]);
    expect(readdirSync(walDir)).toEqual([]);
  });
});

test('a restore that fails takes nothing from another one in the same directory', async () => {
  const dataDir = join(folder, 'shared');
  // Large enough that its checksum is found wrong when the other restore is done.
  const zeros = join(folder, 'zeros.db');
  writeFileSync(zeros, '');
  truncateSync(zeros, (64 << 20) + 32);
  const [failed, done] = await Promise.allSettled([
    restoreBackupFile(zeros, { dataDir }),
    restoreBackupFile(whole, { dataDir }),
  ]);
  expect(failed.status).toBe('rejected');
  expect(done).toMatchObject({ status: 'fulfilled', value: { revision: 33 } });
  expect(readdirSync(join(dataDir, 'member')).sort()).toEqual(['db', 'wal']);
  expect(readdirSync(join(dataDir, 'member', 'db', 'db-0000000000000002'))).toContain('CURRENT');
});

test('a restore that is refused leaves what is there', async () => {
  const dataDir = join(folder, 'taken');
  mkdirSync(join(dataDir, 'member'), { recursive: true });
  writeFileSync(join(dataDir, 'member', 'mine'), 'mine');
  await expect(restoreBackupFile(whole, { dataDir })).rejects.toMatchObject({ code: 'NOT_EMPTY' });
  expect(readFileSync(join(dataDir, 'member', 'mine'), 'utf8')).toBe('mine');
});
