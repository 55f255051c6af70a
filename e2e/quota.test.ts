/** Three processes run out of space, say so, and come out of it as etcd does. */
import { type EtcdClient, EtcdError } from '@etcd-ts/client';
import { connect } from '@etcd-ts/client/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { pause } from './harness/leader.ts';
import type { Member } from './harness/member.ts';
import { programUnderTest } from './harness/under-test.ts';

const QUOTA_BYTES = 8 * 1024 * 1024;
const VALUE = 'x'.repeat(512 * 1024);

let cluster: Cluster;
let clients: EtcdClient[];

const connectTo = (member: Member) => connect({ endpoints: [member.endpoint], timeoutMs: 10_000 });

beforeAll(async () => {
  cluster = await Cluster.start({
    size: 3,
    flags: [`--quota-backend-bytes=${QUOTA_BYTES}`],
    program: programUnderTest(),
  });
  clients = cluster.members.map(connectTo);
}, 60_000);
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await cluster.dispose();
});

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'OK';
  } catch (error) {
    return EtcdError.from(error).code;
  }
}

interface Alarm {
  readonly memberID: string;
  readonly alarm: string;
}

/** Asks a member's gateway; gives the alarms of the answer. */
async function post(path: string, body: object, at = 0): Promise<readonly Alarm[]> {
  const answer = await fetch(`${cluster.members[at]!.clientUrl}/v3/maintenance/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { alarms?: readonly Alarm[] }).alarms ?? [];
}

const raisedAlarms = () => post('alarm', { action: 'GET' });
const lower = (memberID: string, alarm = 'NOSPACE') =>
  post('alarm', { action: 'DEACTIVATE', memberID, alarm });

test(
  'writes are refused everywhere until the very alarm is lowered',
  { timeout: 120_000 },
  async () => {
    const [one, two, three] = clients as [EtcdClient, EtcdClient, EtcdClient];
    let code = 'OK';
    let puts = 0;
    while (code === 'OK' && puts < 100) {
      code = await codeOf(one.put(`k${puts++}`, VALUE));
      // Real etcd looks at its file, which grows with the next commit.
      await pause(20);
    }
    expect(code).toBe('NO_SPACE');
    for (const client of [one, two, three]) {
      expect(await codeOf(client.put('small', 'v'))).toBe('NO_SPACE');
      expect(await codeOf(client.lease.grant(10))).toBe('NO_SPACE');
      expect(await codeOf(client.get('k0'))).toBe('OK');
    }
    // Real etcd also finds out while applying, on every member; here the one that was asked refuses.
    const alarms = await raisedAlarms();
    const [raised] = alarms;
    const ids = await Promise.all(
      clients.map(async (each) => (await each.status()).header?.memberId),
    );
    expect(alarms.length).toBeGreaterThan(0);
    for (const { alarm, memberID } of alarms) {
      expect(alarm).toBe('NOSPACE');
      expect(ids.map(String)).toContain(memberID);
    }
    const status = await two.status();
    expect(status.errors).toContain(`memberID:${raised?.memberID} alarm:NOSPACE `);
    const health = await fetch(`${cluster.members[1]!.clientUrl}/health`);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ health: 'false', reason: 'ALARM NOSPACE' });

    // Freeing space is allowed, and lowers nothing.
    for (let i = 0; i < puts; i++) expect(await codeOf(one.delete(`k${i}`))).toBe('OK');
    const { revision } = await one.delete('none');
    await one.compact(revision, { physical: true });
    for (const at of clients.keys()) await post('defragment', {}, at);
    expect(await codeOf(one.put('small', 'v'))).toBe('NO_SPACE');

    // Nor does any other alarm, nor a restart.
    expect(await lower('0')).toEqual([]);
    expect(await lower('77')).toEqual([]);
    expect(await lower(raised!.memberID, 'NONE')).toEqual([]);
    const last = cluster.members[2]!;
    await last.kill();
    await last.start();
    expect(await codeOf(three.put('small', 'v'))).toBe('NO_SPACE');

    for (const one of alarms) {
      expect(await codeOf(clients[0]!.put('small', 'v'))).toBe('NO_SPACE');
      expect(await lower(one.memberID)).toEqual([one]);
    }
    for (const client of clients) expect(await codeOf(client.put('small', 'v'))).toBe('OK');
    expect(await raisedAlarms()).toEqual([]);
  },
);
