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
import { type CallerName, CALLERS, outcome, prepare, withCertificate } from './callers.ts';
import { BAD_TOKEN, DENIED, type Row, ROWS, USER_EMPTY } from './rows.ts';

const peers = realEtcd();

/** What a server told every caller, by row. */
type Answers = ReadonlyMap<Row, ReadonlyMap<CallerName, string>>;

async function ask(
  channelOf: (caller: CallerName) => InProcessChannel | Target['channel'] | undefined,
): Promise<Answers> {
  const first = channelOf('root');
  if (first === undefined) throw new Error('root has no channel');
  const tokens = await prepare(first);
  const answers = new Map<Row, Map<CallerName, string>>();
  for (const row of ROWS) {
    const told = new Map<CallerName, string>();
    answers.set(row, told);
    for (const caller of CALLERS) {
      const channel = channelOf(caller);
      if (channel === undefined) continue;
      told.set(caller, await outcome(channel, row.method, row.ask(caller), tokens.get(caller)));
    }
  }
  return answers;
}

/** Methods whose refusals 3.5 sends in the words of its inner layers, with code Unknown. */
const RAW_IN_35 = /Maintenance\/(Defragment|Hash|HashKV|Snapshot)$/;

/** What etcd 3.5.30 tells: the same, but for what later versions have mended. */
function toldBy35({ method, what, told }: Row, caller: CallerName): string {
  const text = told[caller];
  if (method === 'etcdserverpb.KV/RangeStream') {
    return '12 unknown method RangeStream for service etcdserverpb.KV';
  }
  // For root alone before 3.5.32.
  if (method === 'etcdserverpb.Maintenance/Status' && text === 'ok' && caller !== 'root') {
    return DENIED;
  }
  // The hole that GHSA-xg4h-6gfc-h4m8 is about.
  if (method === 'etcdserverpb.Watch/Watch' && what === 'from a key on' && caller === 'able') {
    return 'ok';
  }
  if (RAW_IN_35.test(method) && [USER_EMPTY, BAD_TOKEN, DENIED].includes(text)) {
    return text.replace(/^\d+ etcdserver:/, '2 auth:');
  }
  return text;
}

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
