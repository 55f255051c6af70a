/**
 * Every RPC × {no token, bad token, user without the right, user with it, user by certificate, root}: exactly the code
 * and text that etcd documents; and real etcd beside it, which must say the same but for what is listed here.
 */
import { RPC_TABLE } from '@etcd-ts/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../../../../tools/peers/real-etcd.ts';
import { InProcessChannel } from '../../src/listeners/in-process.ts';
import { Services } from '../../src/services/services.ts';
import { startRealEtcd, type Target } from '../differential/target.ts';
import { FakeNode } from '../services/fake-node.ts';
import { SURROUNDINGS } from '../services/surroundings.ts';
import { type Answers, ask } from './ask.ts';
import { withCertificate } from './callers.ts';
import { ROWS, toldBy35 } from './rows.ts';

const peers = realEtcd();

let ours: Answers;
beforeAll(async () => {
  const node = await FakeNode.start({ clock: 'real' });
  const local = { id: node.memberId, name: 'default', peerUrls: ['http://127.0.0.1:3'] };
  node.state.bootstrap([{ ...local, clientUrls: [], isLearner: false }], {
    voters: [node.memberId],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  });
  const services = new Services(node, SURROUNDINGS);
  const plain = new InProcessChannel(services.handlers, node.clock);
  const certified = new InProcessChannel(withCertificate(services.handlers, 'able'), node.clock);
  ours = await ask((caller) => (caller === 'certificate' ? certified : plain));
  await plain.close();
  await certified.close();
  services.stop();
}, 30_000);

test('every RPC is in the matrix', () => {
  expect(new Set(ROWS.map(({ method }) => method))).toEqual(new Set(Object.keys(RPC_TABLE)));
});

describe('each caller is told what etcd tells it', () => {
  for (const row of ROWS) {
    test([row.method, row.what].filter(Boolean).join(' '), () => {
      expect(Object.fromEntries(ours.get(row)!)).toEqual(row.told);
    });
  }
});

describe.runIf(hasEtcd(peers))('real etcd tells the same', () => {
  let target: Target;
  let theirs: Answers;
  beforeAll(async () => {
    target = await startRealEtcd('missing' in peers ? '' : peers.etcd);
    // Certificates need TLS.
    theirs = await ask((caller) => (caller === 'certificate' ? undefined : target.channel));
  }, 60_000);
  afterAll(() => target?.stop());

  for (const row of ROWS) {
    test([row.method, row.what].filter(Boolean).join(' '), () => {
      for (const [caller, text] of theirs.get(row)!) {
        expect(`${caller}: ${text}`).toBe(`${caller}: ${toldBy35(row, caller)}`);
      }
    });
  }
});
