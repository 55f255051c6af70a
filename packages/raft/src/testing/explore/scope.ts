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
  readonly proposals: number;
  readonly changes: readonly ConfigChange[];
  readonly reads: number;
  readonly heartbeats: number;
  readonly crashes: number;
  readonly duplicates: number;
  /** The state machine lags: applying is a step of its own. */
  readonly appliesLate: boolean;
  /** Stops here, saying that the scope was not exhausted. */
  readonly statesMax: number;
}

function configOf(voters: readonly NodeId[], learners: readonly NodeId[] = []): ConfState {
  return { voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false };
}

function change(
  transition: ConfigChange['transition'],
  steps: ConfigChange['steps'],
): ConfigChange {
  return { transition, steps, context: EMPTY_BYTES };
}

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
  proposals: 1,
  changes: [],
  reads: 0,
  heartbeats: 0,
  crashes: 0,
  duplicates: 0,
  appliesLate: false,
  statesMax: 400_000,
};

/** The scopes of `npm run raft:explore`, smallest first. */
export const SCOPES: readonly Scope[] = [
  {
    ...BASE,
    name: 'two nodes, three terms, crashes and duplicates',
    nodes: 2,
    confState: configOf([1n, 2n]),
    termMax: 3,
    proposals: 2,
    crashes: 2,
    duplicates: 1,
  },
  { ...BASE, name: 'three nodes elect and replicate, one crash', crashes: 1 },
  {
    ...BASE,
    name: 'three nodes, three candidates',
    campaigners: [1n, 2n, 3n],
    proposals: 0,
    crashes: 1,
  },
  {
    ...BASE,
    name: 'three nodes with pre-vote',
    config: { ...BASE.config, preVote: true },
    proposals: 0,
  },
  { ...BASE, name: 'three nodes, duplicated messages', duplicates: 2 },
  { ...BASE, name: 'reads across an election', reads: 1, heartbeats: 1, proposals: 0 },
  {
    ...BASE,
    name: 'a voter is added, its log is empty',
    confState: configOf([1n, 2n]),
    changes: [change('auto', [{ op: 'addVoter', node: 3n }])],
    proposals: 0,
    appliesLate: true,
  },
  {
    ...BASE,
    name: 'a voter is replaced through a joint configuration',
    confState: configOf([1n, 2n]),
    changes: [
      change('explicit', [
        { op: 'addVoter', node: 3n },
        { op: 'remove', node: 2n },
      ]),
    ],
    proposals: 0,
    appliesLate: true,
  },
];
