import type { ConfState, NodeId } from '../index.ts';
import { jointIndex, jointVote, majorityIndex, majorityVote, type VoteResult } from '../quorum.ts';
import { Arguments, parseCount } from './arguments.ts';
import type { Directive } from './directive.ts';
import type { TranscriptInterpreter } from './transcript.ts';

/** A quorum to ask: one majority, or two that must agree. */
interface Quorum {
  readonly incoming: readonly NodeId[];
  /** Undefined: not joint at all. Empty: joint with nobody. */
  readonly outgoing: readonly NodeId[] | undefined;
}

const VOTE_NAMES: Readonly<Record<VoteResult, string>> = {
  pending: 'VotePending',
  won: 'VoteWon',
  lost: 'VoteLost',
};

function asConf(incoming: readonly NodeId[], outgoing: readonly NodeId[]): ConfState {
  return {
    voters: incoming,
    votersOutgoing: outgoing,
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
}

/** Ids in the order in which values are given to them: first half, then what the second adds. */
function distinct(quorum: Quorum): readonly NodeId[] {
  return [...new Set([...quorum.incoming, ...(quorum.outgoing ?? [])])];
}

/** Runs etcd's `quorum` files: what is committed and how a vote stands, for one majority or two. */
export class QuorumInterpreter implements TranscriptInterpreter {
  run(directive: Directive): string {
    const args = new Arguments(directive);
    const isZero = args.values('cfgj').join() === 'zero';
    const outgoing = isZero ? [] : args.ids('cfgj');
    const quorum = {
      incoming: args.ids('cfg'),
      outgoing: args.has('cfgj') ? outgoing : undefined,
    };
    switch (directive.command) {
      case 'committed':
        return describeCommitted(quorum, valuesOf(quorum, args.values('idx')));
      case 'vote':
        return describeVote(quorum, valuesOf(quorum, args.values('votes')));
      default:
        throw new Error(`unknown command ${directive.command}`);
    }
  }
}

/** Gives the values to the ids; `_` gives nothing. */
function valuesOf(quorum: Quorum, values: readonly string[]): ReadonlyMap<NodeId, string> {
  const ids = distinct(quorum);
  if (values.length !== ids.length) {
    throw new Error(
      `error: mismatched input (mismatch for ${values.length} values and ${ids.length} ids)`,
    );
  }
  const given = new Map<NodeId, string>();
  for (const [at, id] of ids.entries()) {
    const value = values[at];
    if (value !== undefined && value !== '_') given.set(id, value);
  }
  return given;
}

function describeCommitted(quorum: Quorum, values: ReadonlyMap<NodeId, string>): string {
  const indexes = new Map([...values].map(([id, text]) => [id, parseCount(text)]));
  const of = (id: NodeId): number => indexes.get(id) ?? 0;
  const { incoming, outgoing } = quorum;
  const committed = (one: readonly NodeId[], other: readonly NodeId[] | undefined): string => {
    const index = other === undefined ? majorityIndex(one, of) : jointIndex(asConf(one, other), of);
    return index === Number.POSITIVE_INFINITY ? '∞' : `${index}`;
  };
  const result = committed(incoming, outgoing);
  const lines = [table(distinct(quorum), indexes) + result];
  const crossCheck = (other: string, name: string): void => {
    if (other !== result) lines.push(`${other} <-- via ${name}`);
  };
  if (outgoing === undefined) {
    crossCheck(committed(incoming, []), 'zero-joint quorum');
    crossCheck(committed(incoming, incoming), 'self-joint quorum');
  } else {
    crossCheck(committed(outgoing, incoming), 'symmetry');
  }
  return lines.join('\n');
}

/** One line per id with a bar of as many `x` as ids are strictly behind it. */
function table(ids: readonly NodeId[], indexes: ReadonlyMap<NodeId, number>): string {
  if (ids.length === 0) return '<empty majority quorum>';
  const width = ids.length;
  const indexOf = (id: NodeId): number => indexes.get(id) ?? 0;
  const rows = [...ids].sort(byId).map((id) => {
    const index = indexOf(id);
    const behind = ids.filter((other) => indexOf(other) < index).length;
    const bar = indexes.has(id)
      ? `${'x'.repeat(behind)}>${' '.repeat(width - behind)}`
      : `?${' '.repeat(width)}`;
    return `${bar} ${String(index).padStart(5)}    (id=${id.toString(16)})\n`;
  });
  return `${' '.repeat(width)}    idx\n${rows.join('')}`;
}

function byId(a: NodeId, b: NodeId): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function describeVote(quorum: Quorum, values: ReadonlyMap<NodeId, string>): string {
  const of = (id: NodeId): boolean | undefined => {
    const text = values.get(id);
    return text === undefined ? undefined : text === 'y';
  };
  const { incoming, outgoing } = quorum;
  const vote = (one: readonly NodeId[], other: readonly NodeId[]): string =>
    VOTE_NAMES[jointVote(asConf(one, other), of)];
  if (outgoing === undefined) return VOTE_NAMES[majorityVote(incoming, of)];
  const result = vote(incoming, outgoing);
  const swapped = vote(outgoing, incoming);
  return swapped === result ? result : `${result}\n${swapped} <-- via symmetry`;
}
