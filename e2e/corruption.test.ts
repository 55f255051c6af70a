/** Processes that find out that one of them holds other data. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@etcd-ts/client/node';
import { openClassicBackend } from '@etcd-ts/mvcc/node';
import { afterEach, expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { pause } from './harness/leader.ts';
import { type Member, runToExit } from './harness/member.ts';

let cluster: Cluster;
afterEach(() => cluster.dispose());

/** Changes a value in the database of a stopped member, as a failing disk does. */
async function harm({ dataDir }: Member): Promise<void> {
  const folder = join(dataDir, 'member', 'db');
  for (const name of readdirSync(folder)) {
    const backend = await openClassicBackend(join(folder, name));
    const entries = backend.iterate(new Uint8Array(0), new Uint8Array([0xff]));
    for (const [key, value] of await entries.nextPage(1_000)) {
      const at = Buffer.from(value).indexOf('right');
      if (at < 0) continue;
      const other = Buffer.from(value);
      other.write('wrong', at);
      await backend.write([{ key, value: new Uint8Array(other) }]);
    }
    await entries.close();
    await backend.close();
  }
}

async function withOneHarmed(flags: readonly string[]): Promise<Member> {
  cluster = await Cluster.start({ size: 3, flags });
  const client = connect({ endpoints: cluster.members.map(({ endpoint }) => endpoint) });
  await client.put('k', 'right');
  await client.close();
  const harmed = cluster.members[2] as Member;
  await harmed.stop();
  await harm(harmed);
  return harmed;
}

test(
  'the leader finds a member whose data differs, and raises the alarm',
  { timeout: 60_000 },
  async () => {
    const flags = ['--corrupt-check-time=200ms', '--feature-gates=CompactHashCheck=true'];
    const harmed = await withOneHarmed([...flags, '--compact-hash-check-time=200ms']);
    await harmed.start();
    const [one] = cluster.members as [Member];
    const client = connect({ endpoints: [one.endpoint], timeoutMs: 10_000 });
    const { revision } = await client.put('other', 'v').catch(() => ({ revision: 0 }));
    if (revision > 0) await client.compact(revision).catch(() => undefined);
    for (;;) {
      const { errors } = await client.status();
      if (errors.some((text) => text.includes('alarm:CORRUPT'))) break;
      await pause(50);
    }
    await expect(client.put('k', 'v')).rejects.toMatchObject({ code: 'CORRUPT' });
    expect((await client.get('k'))?.text).toBe('right');
    await client.close();
  },
);

test(
  'a member whose data differs does not start with the initial check',
  { timeout: 60_000 },
  async () => {
    const flag = '--experimental-initial-corrupt-check=true';
    const harmed = await withOneHarmed([flag]);
    const { code, text } = await runToExit(harmed.command);
    expect(code).not.toBe(0);
    expect(text).toContain('found data inconsistency with peers');
  },
);
