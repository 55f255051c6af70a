import { EMPTY_BYTES } from '@etcd-ts/base';
import type { ConfigChange, ConfState, NodeId, RaftConfig } from '../../index.ts';

/** How far an exploration goes. Everything that may happen within these bounds is tried in every order. */
export interface Scope {
  readonly name: string;
  readonly nodes: number;
  readonly confState: ConfState;
  readonly config: Omit<RaftConfig, 'id' | 'seed'>;
  /** No campaign beyond this term. */
  readonly termMax: number;
  /** Which nodes may campaign. */
  readonly campaigners: readonly NodeId[];
  /** How often each may happen in one history. */
  readonly campaigns: number;
  readonly proposals: number;
  readonly changes: readonly ConfigChange[];
  readonly reads: number;
  readonly heartbeats: number;
  readonly crashes: number;
  readonly losses: number;
  readonly duplicates: number;
  /** Messages between two nodes keep their order, as on a stream; otherwise any may come next. */
  readonly isOrdered: boolean;
  /** A write is durable at once; otherwise syncing is a step of its own, and a crash may come before it. */
  readonly syncsAtOnce: boolean;
  /** The state machine lags: applying is a step of its own. */
  readonly appliesLate: boolean;
  /** Stops here, saying that the scope was not exhausted. */
  readonly statesMax: number;
}

function configOf(voters: readonly NodeId[]): ConfState {
  return { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
}

function change(
  transition: ConfigChange['transition'],
  steps: ConfigChange['steps'],
): ConfigChange {
  return { transition, steps, context: EMPTY_BYTES };
}

/** Two nodes may campaign, each term once; streams keep their order; nothing fails. */
const BASE: Omit<Scope, 'name'> = {
  nodes: 3,
  confState: configOf([1n, 2n, 3n]),
  config: {
    electionTimeoutTicks: 10,
    heartbeatTicks: 1,
    preVote: false,
    checkQuorum: false,
    maxInflightMessages: 2,
  },
  termMax: 2,
  campaigners: [1n, 2n],
  campaigns: 2,
  proposals: 0,
  changes: [],
  reads: 0,
  heartbeats: 0,
  crashes: 0,
  losses: 0,
  duplicates: 0,
  isOrdered: true,
  syncsAtOnce: false,
  appliesLate: false,
  statesMax: 250_000,
};

const AT_ONCE: Omit<Scope, 'name'> = { ...BASE, syncsAtOnce: true };
const REMOVE_3 = change('auto', [{ op: 'remove', node: 3n }]);
const ADD_3 = change('auto', [{ op: 'addVoter', node: 3n }]);
const REPLACE_2_BY_3 = change('implicit', [
  { op: 'addVoter', node: 3n },
  { op: 'remove', node: 2n },
]);

/**
 * The scopes of `npm run raft:explore`.
 *
 * All but the one with a crash among three nodes are visited to the last state.
 */
export const SCOPES: readonly Scope[] = [
  {
    ...BASE,
    name: 'two nodes, any order of messages, a crash and a proposal',
    nodes: 2,
    confState: configOf([1n, 2n]),
    isOrdered: false,
    proposals: 1,
    crashes: 1,
  },
  { ...BASE, name: 'three nodes, two elections, writes that take time' },
  { ...AT_ONCE, name: 'three nodes, two elections and a proposal', proposals: 1 },
  { ...AT_ONCE, name: 'three nodes, any order of messages', isOrdered: false },
  { ...AT_ONCE, name: 'three nodes, a message that comes twice', duplicates: 1 },
  {
    ...AT_ONCE,
    name: 'three nodes with pre-vote',
    config: { ...BASE.config, preVote: true },
  },
  {
    ...AT_ONCE,
    name: 'a commit that is not answered, a message that is lost',
    config: { ...BASE.config, quietCommits: true },
    campaigns: 1,
    proposals: 1,
    heartbeats: 1,
    losses: 1,
  },
  { ...AT_ONCE, name: 'a read across an election', reads: 1 },
  { ...AT_ONCE, name: 'a voter is removed', changes: [REMOVE_3] },
  {
    ...AT_ONCE,
    name: 'a voter is added, changes are applied late',
    confState: configOf([1n, 2n]),
    campaigners: [1n, 2n, 3n],
    changes: [ADD_3],
    appliesLate: true,
  },
  {
    ...AT_ONCE,
    name: 'a voter is replaced through a joint configuration',
    confState: configOf([1n, 2n]),
    changes: [REPLACE_2_BY_3],
    appliesLate: true,
  },
  { ...BASE, name: 'three nodes, a crash before or after any write', crashes: 1 },
];
