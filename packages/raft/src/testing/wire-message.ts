import type { ConfState, Entry, LogIndex, Message, NodeId, Term } from '../index.ts';

/** The storage thread that writes, as an address in etcd's asynchronous storage mode. */
export const APPEND_THREAD: NodeId = 2n ** 64n - 1n;
/** The storage thread that applies. */
export const APPLY_THREAD: NodeId = 2n ** 64n - 2n;

/** etcd's names for what nodes say to one another; those at the end are ours alone. */
export type WireType =
  | 'MsgApp'
  | 'MsgAppResp'
  | 'MsgHeartbeat'
  | 'MsgHeartbeatResp'
  | 'MsgVote'
  | 'MsgVoteResp'
  | 'MsgPreVote'
  | 'MsgPreVoteResp'
  | 'MsgSnap'
  | 'MsgTimeoutNow'
  | 'MsgReadIndex'
  | 'MsgReadIndexResp'
  | 'MsgProp'
  | 'MsgStorageAppend'
  | 'MsgStorageAppendResp'
  | 'MsgStorageApply'
  | 'MsgStorageApplyResp'
  | 'MsgPropResp';

/** What happens when a message arrives. */
export type Delivery =
  /** The core takes the message. */
  | { readonly kind: 'step'; readonly message: Message }
  /** A node's own vote or append: its core learns that the group is durable. */
  | { readonly kind: 'persisted'; readonly group: number }
  /** The append thread is done: the core learns it, and the log through (term, index) is stable. */
  | { readonly kind: 'stable'; readonly group: number }
  /** Nothing: the core learnt it another way already. */
  | { readonly kind: 'none' };

/** A snapshot as etcd's tests print it. */
export interface WireSnapshot {
  readonly index: LogIndex;
  readonly term: Term;
  readonly confState: ConfState;
}

/** One message in etcd's terms: what is printed, and what delivering it does. */
export interface WireMessage {
  readonly type: WireType;
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
  readonly logTerm: Term;
  readonly index: LogIndex;
  readonly reject: boolean;
  readonly rejectHint: LogIndex;
  readonly commit: LogIndex;
  readonly vote: NodeId;
  readonly entries: readonly Entry[];
  readonly snapshot?: WireSnapshot;
  readonly responses: readonly WireMessage[];
  /** What ours has and etcd's has not; printed after everything else. */
  readonly note: string;
  readonly delivery: Delivery;
}

type Envelope = Pick<WireMessage, 'type' | 'from' | 'to' | 'term'>;

/** A message with everything but the envelope zero. */
export function wireMessage(
  envelope: Envelope,
  fields: Partial<Omit<WireMessage, keyof Envelope>> = {},
): WireMessage {
  return {
    ...envelope,
    logTerm: 0,
    index: 0,
    reject: false,
    rejectHint: 0,
    commit: 0,
    vote: 0n,
    entries: [],
    responses: [],
    note: '',
    delivery: { kind: 'none' },
    ...fields,
  };
}

/** Messages of a node to itself or to and from its storage threads: they never cross a network. */
export function isLocal(message: WireMessage): boolean {
  const isThread = (id: NodeId): boolean => id === APPEND_THREAD || id === APPLY_THREAD;
  return message.from === message.to || isThread(message.from) || isThread(message.to);
}

/** What etcd sends only after the Ready it came with is durable. */
export function waitsForAppend(type: WireType): boolean {
  return type === 'MsgAppResp' || type === 'MsgVoteResp' || type === 'MsgPreVoteResp';
}

/** Answers, which etcd takes only from a peer that it tracks. */
export function isResponse(type: WireType): boolean {
  return (
    waitsForAppend(type) ||
    type === 'MsgHeartbeatResp' ||
    type === 'MsgReadIndexResp' ||
    type === 'MsgPropResp'
  );
}
