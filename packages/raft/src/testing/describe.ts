/** The output formats of etcd-io/raft's interaction tests: entries, messages, snapshots, configurations. */
import { fromUtf8, unreachable } from '@etcd-ts/base';
import type { ConfigChange, ConfigStep, ConfState, Entry, NodeId, Role } from '../index.ts';
import { shownTerm } from './bootstrap.ts';
import { V1_CONTEXT } from './conf-change-text.ts';
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type WireMessage,
  type WireSnapshot,
} from './wire-message.ts';

/** An address as etcd prints it: hex, or the name of a storage thread. */
export function describeAddress(id: NodeId): string {
  if (id === 0n) return 'None';
  if (id === APPEND_THREAD) return 'AppendThread';
  if (id === APPLY_THREAD) return 'ApplyThread';
  return id.toString(16);
}

/** `StateFollower` and so on. */
export function describeRole(role: Role): string {
  switch (role) {
    case 'follower':
      return 'StateFollower';
    case 'preCandidate':
      return 'StatePreCandidate';
    case 'candidate':
      return 'StateCandidate';
    case 'leader':
      return 'StateLeader';
    default:
      return unreachable(role);
  }
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
  ['\\', '\\\\'],
  ['"', '\\"'],
]);

/** Bytes as Go's %q prints them, for the text that transcripts hold. */
export function quote(data: Uint8Array): string {
  let text = '"';
  for (const char of fromUtf8(data)) {
    const escaped = ESCAPES.get(char);
    const code = char.codePointAt(0) ?? 0;
    if (escaped !== undefined) text += escaped;
    else if (code < 0x20 || code === 0x7f) text += `\\x${code.toString(16).padStart(2, '0')}`;
    else text += char;
  }
  return `${text}"`;
}

/** `v1 l2 r3 u4`; nothing for a change that leaves the joint configuration. */
export function describeSteps(steps: readonly ConfigStep[]): string {
  return steps.map((step) => `${stepLetter(step.op)}${step.node}`).join(' ');
}

function stepLetter(op: ConfigStep['op']): string {
  switch (op) {
    case 'addVoter':
      return 'v';
    case 'addLearner':
      return 'l';
    case 'remove':
      return 'r';
    case 'update':
      return 'u';
    default:
      return unreachable(op);
  }
}

function describeChange(change: ConfigChange): string {
  const isV1 = fromUtf8(change.context) === V1_CONTEXT;
  const steps = describeSteps(change.steps);
  return `EntryConfChange${isV1 ? '' : 'V2'}${steps === '' ? '' : ` ${steps}`}`;
}

/** `1/12 EntryNormal "x"`. */
export function describeEntry(entry: Entry): string {
  const { payload } = entry;
  const at = `${entry.term}/${entry.index}`;
  switch (payload.kind) {
    case 'empty':
      return `${at} EntryNormal ""`;
    case 'command':
      return `${at} EntryNormal ${quote(payload.data)}`;
    case 'config':
      return `${at} ${describeChange(payload.change)}`;
    default:
      return unreachable(payload);
  }
}

function list(ids: readonly NodeId[]): string {
  return `[${ids.join(' ')}]`;
}

/** `Index:4 Term:1 ConfState:Voters:[1 2] …`. */
export function describeSnapshot(snapshot: WireSnapshot): string {
  const conf = snapshot.confState;
  return (
    `Index:${snapshot.index} Term:${shownTerm(snapshot.term, snapshot.index)} ConfState:Voters:${list(conf.voters)}` +
    ` VotersOutgoing:${list(conf.votersOutgoing)} Learners:${list(conf.learners)}` +
    ` LearnersNext:${list(conf.learnersNext)} AutoLeave:${conf.autoLeave}`
  );
}

/** `voters=(1 2)&&(1) learners=(3) autoleave`. */
export function describeConfig(conf: ConfState): string {
  const set = (ids: readonly NodeId[]): string => `(${ids.join(' ')})`;
  let text = `voters=${set(conf.voters)}`;
  if (conf.votersOutgoing.length > 0) text += `&&${set(conf.votersOutgoing)}`;
  if (conf.learners.length > 0) text += ` learners=${set(conf.learners)}`;
  if (conf.learnersNext.length > 0) text += ` learners_next=${set(conf.learnersNext)}`;
  return conf.autoLeave ? `${text} autoleave` : text;
}

/** One message; what does not fit a line goes to further ones, deeper than `indent`. */
export function describeMessage(message: WireMessage, indent = ''): string {
  let text =
    `${indent}${describeAddress(message.from)}->${describeAddress(message.to)} ${message.type}` +
    ` Term:${message.term} Log:${message.logTerm}/${message.index}`;
  if (message.reject) text += ` Rejected (Hint: ${message.rejectHint})`;
  if (message.commit !== 0) text += ` Commit:${message.commit}`;
  if (message.vote !== 0n) text += ` Vote:${message.vote}`;
  text += describeEntries(message.entries, indent) + message.note;
  if (message.snapshot !== undefined && message.snapshot.index > 0) {
    text += `\n${indent}  Snapshot: ${describeSnapshot(message.snapshot)}`;
  }
  if (message.responses.length > 0) {
    const lines = message.responses.map((response) => describeMessage(response, `${indent}  `));
    text += ` Responses:[\n${lines.join('\n')}\n${indent}]`;
  }
  return text;
}

function describeEntries(entries: readonly Entry[], indent: string): string {
  if (entries.length === 0) return '';
  if (entries.length === 1) return ` Entries:[${entries.map(describeEntry).join('')}]`;
  const lines = entries.map((entry) => `${indent}  ${describeEntry(entry)}`);
  return ` Entries:[\n${lines.join('\n')}\n${indent}]`;
}
