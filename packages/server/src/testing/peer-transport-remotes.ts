/** The claims about members of the cluster that a peer transport does not know: it hears them, and they are answered. */
import { assert, fromUtf8, utf8 } from '@etcd-ts/base';
import { MAX_REMOTES } from '../peers/remotes.ts';
import {
  type Bench,
  type Claim,
  failureOf,
  heartbeat,
  knows,
  NEVER,
  type Node,
  send,
} from './peer-transport-bench.ts';

/** Each claim in a sentence, and what shows it. */
export const REMOTE_CLAIMS: readonly (readonly [string, Claim])[] = [
  ['a member that is not known is heard, and can be answered', answered],
  ['a member that is not known can be called', called],
  ['a member that is not known any more, because it was removed, is not sent to', removedRemote],
  ['a member that has become known is a peer like any other', knownRemote],
  ['beyond the limit one more unknown member is not heard, until another has gone', crowded],
];

/** Sends heartbeats until the other hears one; sent again, since nothing says that a connection is there. */
async function heardBy(bench: Bench, from: Node, to: Node): Promise<void> {
  const count = (): number => to.heard.filter((message) => message.from === from.id).length;
  const before = count();
  await bench.until(
    () => {
      send(from, heartbeat(from, to.id, 1));
      return count() > before;
    },
    () => `${to.id} does not hear ${from.id}`,
  );
}

/** A knows B, which does not know it, and has heard from it. */
async function strangers(bench: Bench): Promise<[Node, Node]> {
  const a = await bench.node(1n);
  const b = await bench.node(2n);
  knows(a, b);
  await heardBy(bench, a, b);
  return [a, b];
}

/** What was sent before may still be on its way. */
const LAST_ROUND = 99;

/** What B sends now does not reach A. */
async function deaf(bench: Bench, a: Node, b: Node): Promise<void> {
  send(b, heartbeat(b, a.id, LAST_ROUND));
  await bench.turns(50);
  const isHeard = a.heard.some(
    (each) => each.type === 'heartbeat' && each.readRound === LAST_ROUND,
  );
  assert(!isHeard, 'a message was sent to a member that is no peer');
}

async function answered(bench: Bench): Promise<void> {
  const [a, b] = await strangers(bench);
  await heardBy(bench, b, a);
}

async function called(bench: Bench): Promise<void> {
  const [a, b] = await strangers(bench);
  a.answer = (_method, request) => Promise.resolve(utf8(`${fromUtf8(request)}!`));
  await bench.connected(b, a);
  const answer = await b.transport.call(a.id, 'm', utf8('q'), NEVER);
  assert(fromUtf8(answer) === 'q!', () => `the answer is ${fromUtf8(answer)}`);
}

async function removedRemote(bench: Bench): Promise<void> {
  const [a, b] = await strangers(bench);
  b.transport.setRemoved(new Set([a.id]));
  await deaf(bench, a, b);
  await bench.until(
    () => {
      send(a, heartbeat(a, b.id, 3));
      return a.removed > 0;
    },
    () => 'the removed member was not told',
  );
  await deaf(bench, a, b);
  const failure = await failureOf(b.transport.call(a.id, 'm', utf8('q'), NEVER));
  assert(failure !== undefined, 'a removed member was called');
}

async function knownRemote(bench: Bench): Promise<void> {
  const [a, b] = await strangers(bench);
  knows(b, a);
  await heardBy(bench, b, a);
  await heardBy(bench, a, b);
  knows(b);
  await deaf(bench, a, b);
}

/** Heartbeats of a known member that are heard before one that came earlier counts as not heard. */
const WITNESSED_HEARTBEATS = 20;

/**
 * The receiver had every occasion to hear the sender: a member that it knows dialled it later, was let in, and was heard
 * many times, while the sender sent as often. Without such a witness nothing says that the dial was answered at all.
 */
async function passesOver(bench: Bench, receiver: Node, sender: Node): Promise<void> {
  const witness = await bench.node(200n);
  knows(receiver, witness);
  knows(witness, receiver);
  const heard = (): number => receiver.heard.filter(({ from }) => from === witness.id).length;
  await bench.until(
    () => {
      send(sender, heartbeat(sender, receiver.id, 1));
      send(witness, heartbeat(witness, receiver.id, 1));
      return heard() >= WITNESSED_HEARTBEATS;
    },
    () => `${receiver.id} does not hear ${witness.id}, which it knows`,
  );
}

async function crowded(bench: Bench): Promise<void> {
  const b = await bench.node(100n);
  const all: Node[] = [];
  for (let id = 1n; id <= BigInt(MAX_REMOTES) + 1n; id++) all.push(await bench.node(id));
  const [first, ...others] = all as [Node, ...Node[]];
  for (const node of others) {
    knows(node, b);
    await heardBy(bench, node, b);
  }
  knows(first, b);
  await passesOver(bench, b, first);
  assert(!b.heard.some(({ from }) => from === first.id), 'one more than the limit was heard');
  first.unreachable.length = 0;
  await bench.until(
    () => {
      send(first, heartbeat(first, b.id, 1));
      return first.unreachable.includes(b.id);
    },
    () => 'one more was not told that it is not heard',
  );
  await others[0]?.transport.close();
  await heardBy(bench, first, b);
  await heardBy(bench, b, first);
}
