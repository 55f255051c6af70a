/** One core under a test's hand: built with a given log, fed single messages. */
import type {
  AppendMessage,
  AppendResponseMessage,
  ConfState,
  Entry,
  HeartbeatMessage,
  HeartbeatResponseMessage,
  Message,
  RaftConfig,
  VoteMessage,
  VoteResponseMessage,
} from '@etcd-ts/raft';
import { conf, Node } from './cluster.ts';

export interface SingleOptions {
  readonly id?: number;
  readonly voters?: readonly number[];
  readonly confState?: ConfState;
  /** The log from index 1 on, as the term of each entry. */
  readonly log?: readonly number[];
  readonly term?: number;
  readonly vote?: number;
  readonly commit?: number;
  readonly config?: Partial<RaftConfig>;
}

export const entry = (index: number, term: number): Entry => ({
  index,
  term,
  payload: { kind: 'command', data: new TextEncoder().encode(`${term}/${index}`) },
});

/** Node 1 of three, unless the options say otherwise. */
export function single(options: SingleOptions = {}): Node {
  const { id = 1, voters = [1, 2, 3], log = [], vote = 0, commit = 0 } = options;
  const term = options.term ?? log.at(-1) ?? 0;
  const node = new Node(
    { id: BigInt(id), seed: id, ...options.config },
    {
      hardState: { term, vote: BigInt(vote), commit },
      snapshotIndex: 0,
      snapshotTerm: 0,
      confState: options.confState ?? conf(voters),
      entries: log.map((entryTerm, i) => entry(i + 1, entryTerm)),
      applied: 0,
    },
  );
  node.step();
  return node;
}

/** Steps messages and returns what the node sent because of them; to disk it writes at once. */
export function receive(node: Node, ...messages: readonly Message[]): readonly Message[] {
  node.step(...messages.map((message) => ({ type: 'message', message }) as const));
  return sent(node);
}

/** What the node has sent since it was asked last. */
export function sent(node: Node): readonly Message[] {
  return node.outgoing.splice(0);
}

/** The messages of one type among those that a node sent. */
export function only<T extends Message['type']>(
  messages: readonly Message[],
  type: T,
): readonly (Message & { readonly type: T })[] {
  return messages.filter(
    (message): message is Message & { readonly type: T } => message.type === type,
  );
}

export const terms = (node: Node): readonly number[] =>
  node.core.entries(1, node.core.lastIndex).map((each) => each.term);

type Partly<T> = Partial<Omit<T, 'type'>>;

export const append = (fields: Partly<AppendMessage> = {}): AppendMessage => ({
  type: 'append',
  from: 2n,
  to: 1n,
  term: 1,
  prevIndex: 0,
  prevTerm: 0,
  entries: [],
  commit: 0,
  session: 0,
  ...fields,
});

export const appendResponse = (
  fields: Partly<AppendResponseMessage> = {},
): AppendResponseMessage => ({
  type: 'appendResponse',
  from: 2n,
  to: 1n,
  term: 1,
  session: 0,
  index: 0,
  rejected: false,
  hintIndex: 0,
  hintTerm: 0,
  ...fields,
});

export const heartbeat = (fields: Partly<HeartbeatMessage> = {}): HeartbeatMessage => ({
  type: 'heartbeat',
  from: 2n,
  to: 1n,
  term: 1,
  commit: 0,
  readRound: 0,
  session: 0,
  ...fields,
});

export const heartbeatResponse = (
  fields: Partly<HeartbeatResponseMessage> = {},
): HeartbeatResponseMessage => ({
  type: 'heartbeatResponse',
  from: 2n,
  to: 1n,
  term: 1,
  readRound: 0,
  commit: 0,
  session: 0,
  ...fields,
});

export const vote = (
  fields: Partial<Omit<VoteMessage, 'type'>> & { readonly type?: VoteMessage['type'] } = {},
): VoteMessage => ({
  type: 'vote',
  from: 2n,
  to: 1n,
  term: 1,
  lastIndex: 0,
  lastTerm: 0,
  transfer: false,
  ...fields,
});

export const voteResponse = (
  fields: Partial<Omit<VoteResponseMessage, 'type'>> & {
    readonly type?: VoteResponseMessage['type'];
  } = {},
): VoteResponseMessage => ({
  type: 'voteResponse',
  from: 2n,
  to: 1n,
  term: 1,
  rejected: false,
  commit: 0,
  commitTerm: 0,
  ...fields,
});

/** A node that leads: it campaigned in the term after its log's, and the others voted for it. */
export function leader(options: SingleOptions = {}): Node {
  const node = single({ ...options, config: { preVote: false, ...options.config } });
  node.step({ type: 'campaign' });
  const { term, confState, id } = node.core.status();
  for (const from of [...confState.voters, ...confState.votersOutgoing]) {
    if (from !== id && node.core.role !== 'leader') {
      node.step({ type: 'message', message: voteResponse({ from, to: id, term }) });
    }
  }
  return node;
}
