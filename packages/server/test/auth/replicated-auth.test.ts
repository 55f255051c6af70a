/** What users and roles cost where they change nothing. */
import { describe, expect, test } from 'vitest';
import type { AuthCommand } from '../../src/apply/auth-command.ts';
import type { RecordTable } from '../../src/apply/record-table.ts';
import { ReplicatedAuth } from '../../src/apply/replicated-auth.ts';
import { READWRITE, secured, SINGLE } from '../services/secured.ts';

const USER: AuthCommand = {
  op: 'addUser',
  user: 'ann',
  passwordHash: new Uint8Array(60),
  noPassword: false,
};

test('a login writes no record, and the digest stays', () => {
  const written: string[] = [];
  const records: RecordTable = {
    get: () => undefined,
    set: (name) => written.push(name),
    delete: () => undefined,
    names: () => [],
  };
  const auth = new ReplicatedAuth(records);
  auth.apply(USER);
  const { checksum } = auth;
  auth.apply({ op: 'authenticate', user: 'ann', prefix: 'x' });
  expect([written, auth.checksum]).toEqual([['auth'], checksum]);
  auth.apply({ op: 'addRole', role: 'r' });
  expect(written).toHaveLength(2);
});

describe('a put under a lease with many keys', () => {
  async function judged(who: 'root' | 'alice'): Promise<number> {
    const h = await secured([[READWRITE, 'a', SINGLE]]);
    const user = who === 'root' ? h.root : await h.login('alice');
    const { lessor } = h.node.state;
    await h.root.call('etcdserverpb.Lease/LeaseGrant', { ID: 7n, TTL: 600 });
    let keys = 0;
    lessor.eachKeyOf = function* () {
      for (; keys < 1_000; keys++) yield 'a';
    };
    await user.put('a', { lease: 7n });
    return keys;
  }

  test('looks at one of them where root puts, who may write all', async () => {
    expect(await judged('root')).toBeLessThan(2);
  });

  test('looks at all of them for anybody else', async () => {
    expect(await judged('alice')).toBe(1_000);
  });
});
