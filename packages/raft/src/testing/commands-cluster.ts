/** Commands that set a transcript up and look at it: nodes, log levels, logs, states. */
import type { ConfState, RaftConfig } from '../index.ts';
import type { Arguments } from './arguments.ts';
import type { Command } from './commands.ts';
import { describeAddress, describeEntry, describeMessage, describeRole } from './describe.ts';
import type { TranscriptEnvironment } from './environment.ts';
import type { NodeOptions, TranscriptNode } from './node.ts';
import { parseLogLevel } from './output.ts';
import { toWire } from './wire-encode.ts';

/** Ticks of the election timeout in every transcript; `tick-election` is that many. */
export const ELECTION_TIMEOUT_TICKS = 3;

const UNLIMITED = 2 ** 31 - 1;

/** etcd's test configuration: nothing optional is on, nothing is bounded. */
function nodeConfig(id: bigint, args: Arguments): RaftConfig {
  const readMode = args.text('read-only') ?? 'safe';
  if (readMode !== 'safe' && readMode !== 'lease-based') {
    throw new Error(`invalid read-only option: ${readMode}`);
  }
  return {
    id,
    electionTimeoutTicks: ELECTION_TIMEOUT_TICKS,
    heartbeatTicks: 1,
    preVote: args.flag('prevote'),
    checkQuorum: args.flag('checkquorum'),
    readMode: readMode === 'safe' ? 'safe' : 'lease',
    maxMessageBytes: args.count('max-message-bytes') ?? UNLIMITED,
    maxInflightMessages: args.count('inflight') ?? UNLIMITED,
    maxInflightBytes: args.count('inflight-bytes') ?? 0,
    maxUncommittedBytes: args.count('max-uncommitted-bytes') ?? UNLIMITED,
    maxApplyBytes: UNLIMITED,
    maxPendingReads: args.count('max-pending-reads') ?? UNLIMITED,
    stepDownOnRemoval: args.flag('step-down-on-removal'),
    checkChanges: !args.flag('disable-conf-change-validation'),
    electionPriority: args.count('priority') ?? 0,
    seed: Number(id),
  };
}

/** `add-nodes n [voters=(…)] [learners=(…)] [index=i] …` */
const addNodes: Command = (env, args) => {
  const count = args.countAt(0);
  const confState: ConfState = {
    voters: args.ids('voters'),
    votersOutgoing: [],
    learners: args.ids('learners'),
    learnersNext: [],
    autoLeave: false,
  };
  const index = args.count('index') ?? 0;
  const isBootstrapped = ['voters', 'learners', 'index', 'content'].some((key) => args.has(key));
  if (isBootstrapped && index <= 1)
    throw new Error('index must be specified as > 1 due to bootstrap');
  const options = (id: bigint): NodeOptions => ({
    config: nodeConfig(id, args),
    asyncStorage: args.flag('async-storage-writes'),
    maxCommittedBytes: args.count('max-committed-size-per-ready') ?? Number.MAX_SAFE_INTEGER,
  });
  for (let added = 0; added < count; added++) env.addNode(options, { index, confState });
};

/** `raft-log i`: the stored entries. */
const raftLog: Command = (env, args) => printLog(env, env.node(args.idAt(0)));

function printLog(env: TranscriptEnvironment, node: TranscriptNode): void {
  const { entries, firstIndex, lastIndex } = node.storage;
  if (entries.length === 0) {
    env.output.print(`log is empty: first index=${firstIndex}, last index=${lastIndex}`);
    return;
  }
  for (const entry of entries) env.output.print(describeEntry(entry));
}

/** `compact i k`: forgets stored entries through k, then prints the log. */
const compact: Command = (env, args) => {
  const node = env.node(args.idAt(0));
  node.compact(args.countAt(1));
  printLog(env, node);
};

/** `raft-state`: role, membership, term and leader of every node, as it sees them itself. */
const raftState: Command = (env) => {
  for (const { id, view } of env.nodes) {
    const voter = view.isVoter(id) ? 'Voter' : 'Non-Voter';
    env.output.print(
      `${id}: ${describeRole(view.role)} (${voter}) Term:${view.term} Lead:${view.leader}`,
    );
  }
};

/** `status i`: a leader's progress of every peer. */
const status: Command = (env, args) => {
  const { view } = env.node(args.idAt(0));
  for (const peer of view.peers()) env.output.print(`${peer}: ${view.describeProgress(peer)}`);
};

/** `log-level debug|info|warn|error|fatal|none` */
const logLevel: Command = (env, args) => {
  env.output.level = parseLogLevel(args.at(0));
};

/** `send-snapshot i j`: puts i's newest snapshot in flight to j. */
const sendSnapshot: Command = (env, args) => {
  const from = env.node(args.idAt(0));
  const to = args.idAt(1);
  const message = toWire({
    type: 'snapshot',
    from: from.id,
    to,
    term: from.view.term,
    snapshot: from.storage.newestSnapshot,
    session: from.view.sessionOf(to),
  });
  env.messages.push(message);
  env.output.print(describeMessage(message));
};

/**
 * `send-append i j prev=k [count=n]`: puts an append of i's log behind k in flight to j (ours).
 *
 * Any leader may send that; ours would send more at once, or from further on.
 */
const sendAppend: Command = (env, args) => {
  const from = env.node(args.idAt(0));
  const to = args.idAt(1);
  const prevIndex = args.count('prev') ?? 0;
  const message = toWire({
    type: 'append',
    from: from.id,
    to,
    term: from.view.term,
    prevIndex,
    prevTerm: from.view.termAt(prevIndex),
    entries: from.view.entries(prevIndex + 1, prevIndex + (args.count('count') ?? 0)),
    commit: from.view.commit,
    session: from.view.sessionOf(to),
  });
  env.messages.push(message);
  env.output.print(describeMessage(message));
};

/** `in-flight`: every message on its way (ours). */
const inFlight: Command = (env) => {
  for (const message of env.messages) env.output.print(describeMessage(message));
};

/** `hard-state i`: what is stored of term, vote and commit (ours). */
const hardState: Command = (env, args) => {
  const { term, vote, commit } = env.node(args.idAt(0)).storage.hardState;
  env.output.print(`Term:${term} Vote:${describeAddress(vote)} Commit:${commit}`);
};

/** `_breakpoint`: does nothing; a place for a debugger to stop. */
const breakpoint: Command = () => {};

/** Commands by name. */
export const CLUSTER_COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['add-nodes', addNodes],
  ['raft-log', raftLog],
  ['compact', compact],
  ['raft-state', raftState],
  ['status', status],
  ['log-level', logLevel],
  ['send-snapshot', sendSnapshot],
  ['send-append', sendAppend],
  ['in-flight', inFlight],
  ['hard-state', hardState],
  ['_breakpoint', breakpoint],
]);
