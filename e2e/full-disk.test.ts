/** A real disk with no byte left: the member stops and says why, and answers reads when it is started on it again. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@etcd-ts/client/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import type { Member } from './harness/member.ts';
import { SmallDisk } from './torture/disk.ts';

const DISK_BYTES = 48 * 1024 * 1024;
const VALUE = 'x'.repeat(100_000);

const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-full-'));
const disk = SmallDisk.mount(join(folder, 'disk'), DISK_BYTES);
if (disk === undefined) console.warn('skipped: no file system of its own can be mounted here');
let cluster: Cluster | undefined;

beforeAll(async () => {
  if (disk === undefined) return;
  cluster = await Cluster.start({ size: 1, dataDirOf: () => join(disk.path, 'data') });
}, 60_000);

afterAll(async () => {
  await cluster?.dispose();
  disk?.unmount();
  rmSync(folder, { recursive: true, force: true });
});

async function using<T>(member: Member, work: (client: Client) => Promise<T>): Promise<T> {
  const client = connect({ endpoints: [member.endpoint], timeoutMs: 5_000 });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

type Client = ReturnType<typeof connect>;

/** Puts until one fails; how many did not. */
async function putUntilFailure(client: Client): Promise<number> {
  for (let i = 0; i < 1_000; i++) {
    try {
      await client.put(`late${i}`, VALUE);
    } catch {
      return i;
    }
  }
  return 1_000;
}

test.skipIf(disk === undefined)(
  'a member on a full disk stops, and answers reads of all that it acknowledged whenever it is started again',
  async () => {
    const member = cluster!.members[0]!;
    const late = await using(member, async (client) => {
      for (let i = 0; i < 60; i++) await client.put(`early${i}`, VALUE);
      disk!.fill();
      return putUntilFailure(client);
    });
    expect(late).toBeLessThan(1_000);
    await member.ended();
    // The log or the database may be the first to have no room, and each says it in its own words.
    expect(member.log.join('\n')).toMatch(/ENOSPC|No space left on device/);

    for (let start = 0; start < 2; start++) {
      disk!.fill();
      await member.start();
      await using(member, async (client) => {
        for (let i = 0; i < 60; i++) expect((await client.get(`early${i}`))?.text).toBe(VALUE);
        for (let i = 0; i < late; i++) expect((await client.get(`late${i}`))?.text).toBe(VALUE);
      });
      await member.kill();
    }
    expect(member.log.join('\n')).toContain('the disk is full: its reserve is given up');

    disk!.drain();
    await member.start();
    await using(member, (client) => client.put('after', VALUE));
    expect(statSync(join(member.dataDir, 'member', 'reserve')).size).toBeGreaterThan(1_000_000);
  },
  120_000,
);
