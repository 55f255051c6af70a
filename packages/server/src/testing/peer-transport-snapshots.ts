/** The claims about a peer transport's snapshots: whole or not at all, resumed, held back, replaced. */
import { assert, must, utf8 } from '@etcd-ts/base';
import type { SnapshotMessage } from '@etcd-ts/raft';
import {
  type Bench,
  type Claim,
  failureOf,
  knows,
  NEVER,
  type Node,
} from './peer-transport-bench.ts';

/** Each claim in a sentence, and what shows it. */
export const SNAPSHOT_CLAIMS: readonly (readonly [string, Claim])[] = [
  ['a snapshot arrives in full, and its sender learns that it was taken', snapshot],
  ['a snapshot that is refused fails at its sender', refusedSnapshot],
  ['a snapshot whose content breaks off fails at both ends', brokenSnapshot],
  ['a snapshot goes on where it was when its connection breaks', resumedSnapshot],
  ['a snapshot whose sender has ended gives way to another', replacedSnapshot],
  ['a snapshot ends with the transport that takes it in', cutOff],
  ['a snapshot that is not read holds its sender back', heldBack],
];

const CONTENT: readonly string[] = Array.from({ length: 100 }, (_, i) => `chunk ${i} `.repeat(500));

async function* chunksOf(parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield utf8(part);
}

function snapshotMessage(from: Node, to: Node): SnapshotMessage {
  return {
    type: 'snapshot',
    from: from.id,
    to: to.id,
    term: 3,
    session: 2,
    snapshot: {
      index: 9,
      term: 2,
      confState: {
        voters: [1n, 2n ** 64n - 1n],
        votersOutgoing: [],
        learners: [5n],
        learnersNext: [],
        autoLeave: false,
      },
    },
  };
}

async function snapshot(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  await a.transport.sendSnapshot(snapshotMessage(a, b), chunksOf(CONTENT), NEVER);
  const taken = must(b.snapshots[0], 'a snapshot');
  assert(taken.content === CONTENT.join(''), 'the content changed on its way');
  const { snapshot: meta, session } = taken.message;
  assert(meta.index === 9 && meta.term === 2 && session === 2, 'the message changed on its way');
  assert(meta.confState.voters[1] === 2n ** 64n - 1n, () => `voters ${meta.confState.voters}`);
}

async function refusedSnapshot(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  b.takeSnapshot = false;
  const error = await failureOf(
    a.transport.sendSnapshot(snapshotMessage(a, b), chunksOf(CONTENT), NEVER),
  );
  assert(error instanceof Error && error.message.includes('not now'), () => `failed with ${error}`);
}

async function brokenSnapshot(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield utf8('begun');
    throw new Error('the database broke');
  }
  const error = await failureOf(a.transport.sendSnapshot(snapshotMessage(a, b), broken(), NEVER));
  assert(error instanceof Error, 'the sender was told that all went well');
  await bench.until(
    () => b.failedSnapshots === 1,
    () => 'the receiver was not told',
  );
  assert(b.snapshots.length === 0, 'half a snapshot was taken');
}

/** More than any transport keeps on its way. */
const LARGE_CONTENT: readonly string[] = Array.from({ length: 400 }, (_, i) =>
  `large ${i} `.repeat(10_000),
);

async function resumedSnapshot(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  let given = 0;
  async function* breaking(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunksOf(LARGE_CONTENT)) {
      given += 1;
      if (given % 100 === 0) bench.breakConnections();
      yield chunk;
    }
  }
  await a.transport.sendSnapshot(snapshotMessage(a, b), breaking(), NEVER);
  assert(b.failedSnapshots === 0, 'the receiver was told that it failed');
  assert(b.snapshots.length === 1, () => `${b.snapshots.length} snapshots came`);
  assert(b.snapshots[0]?.content === LARGE_CONTENT.join(''), 'the content changed on its way');
  assert(given === LARGE_CONTENT.length, () => `${given} chunks were read from the source`);
}

/** Sends a snapshot that never comes to its end. Resolves when it has begun; `lost`: why it fails. */
async function endless(bench: Bench, from: Node, to: Node): Promise<{ lost: Promise<unknown> }> {
  let isBegun = false;
  async function* content(): AsyncGenerator<Uint8Array> {
    yield utf8('begun');
    isBegun = true;
    await new Promise<never>(() => undefined);
  }
  const lost = failureOf(from.transport.sendSnapshot(snapshotMessage(from, to), content(), NEVER));
  await bench.until(
    () => isBegun,
    () => 'the snapshot did not begin',
  );
  return { lost };
}

async function replacedSnapshot(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  const c = await bench.node(3n);
  knows(b, a, c);
  knows(c, b);
  await bench.connected(c, b);
  const { lost } = await endless(bench, a, b);
  await a.transport.close();
  await bench.until(
    () => b.transport.connectedSinceMs(a.id) === undefined,
    () => 'the receiver did not see the connection end',
  );
  await c.transport.sendSnapshot(snapshotMessage(c, b), chunksOf(CONTENT), NEVER);
  assert(b.snapshots.at(-1)?.content === CONTENT.join(''), 'the content changed on its way');
  assert((await lost) instanceof Error, 'a transfer went on after its transport was closed');
}

async function cutOff(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  // Its sender may hope for a while that the receiver comes back: when it fails is not waited for.
  await endless(bench, a, b);
  await b.transport.close();
  await bench.until(
    () => b.failedSnapshots === 1,
    () => 'the receiver still waits for the rest',
  );
}

async function heldBack(bench: Bench): Promise<void> {
  const [a, b] = await bench.pair();
  let mayRead = (): void => undefined;
  const shut = new Promise<void>((resolve) => (mayRead = resolve));
  b.mayRead = () => shut;
  let given = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunksOf(LARGE_CONTENT)) {
      given += 1;
      yield chunk;
    }
  }
  const sent = a.transport.sendSnapshot(snapshotMessage(a, b), counted(), NEVER);
  let before = -1;
  while (given > before) {
    before = given;
    await bench.turns(500);
  }
  assert(given < LARGE_CONTENT.length, 'everything was sent to a receiver that reads nothing');
  mayRead();
  await sent;
  assert(b.snapshots[0]?.content === LARGE_CONTENT.join(''), 'the content changed on its way');
}
