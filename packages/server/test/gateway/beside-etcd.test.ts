import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../../../../tools/peers/real-etcd.ts';
import { EtcdNode } from '../../src/etcd-node.ts';
import { startRealEtcd } from '../differential/target.ts';
import { ask } from './ask.ts';
import { QUESTIONS } from './questions.ts';

const peers = realEtcd();

describe.skipIf(!hasEtcd(peers))('HTTP and the gateway beside real etcd', () => {
  let ours: EtcdNode;
  let theirs: Awaited<ReturnType<typeof startRealEtcd>>;

  beforeAll(async () => {
    if ('missing' in peers) return;
    ours = await EtcdNode.start({ listenClientUrls: ['http://127.0.0.1:0'] });
    [theirs] = await Promise.all([startRealEtcd(peers.etcd), ours.ready()]);
  }, 30_000);
  afterAll(async () => {
    await Promise.all([ours?.stop(), theirs?.stop()]);
  });

  test('every answer is the same: status, headers, body', { timeout: 60_000 }, async () => {
    for (const question of QUESTIONS) {
      const [answer, expected] = await Promise.all([
        ask(ours.clientUrls[0] ?? '', question),
        ask(theirs.clientUrl, question),
      ]);
      expect({ question, answer }).toEqual({ question, answer: expected });
    }
  });
});
