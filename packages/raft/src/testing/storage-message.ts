/** The messages to and from a node's storage threads, in etcd's asynchronous mode. */
import type { Entry, LogIndex, NodeId, Term } from '../index.ts';
import type { Ready } from './ready.ts';
import { APPEND_THREAD, APPLY_THREAD, type WireMessage, wireMessage } from './wire-message.ts';

/** Where a node stands when its storage work is handed out. */
export interface StoragePosition {
  readonly id: NodeId;
  readonly term: Term;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** Newest persist group in the work: what the answers tell the core. */
  readonly group: number;
  /** Something is not on the disk yet. */
  readonly hasUnstable: boolean;
}

/** What the append thread is to write, with the messages that wait for it. */
export function storageAppend(
  position: StoragePosition,
  ready: Omit<Ready, 'messages'>,
  waiting: readonly WireMessage[],
): WireMessage {
  const { id, term, group } = position;
  const { hardState, entries } = ready;
  const delivery = { kind: 'stable', group } as const;
  const snapshot = ready.snapshot === undefined ? {} : { snapshot: ready.snapshot };
  const responses = waiting.map((message) =>
    message.to === id ? { ...message, delivery: { kind: 'persisted', group } as const } : message,
  );
  if (position.hasUnstable) {
    responses.push(
      wireMessage(
        { type: 'MsgStorageAppendResp', from: APPEND_THREAD, to: id, term },
        { index: position.lastIndex, logTerm: position.lastTerm, ...snapshot, delivery },
      ),
    );
  }
  return wireMessage(
    { type: 'MsgStorageAppend', from: id, to: APPEND_THREAD, term: hardState?.term ?? 0 },
    {
      entries,
      commit: hardState?.commit ?? 0,
      vote: hardState?.vote ?? 0n,
      ...snapshot,
      responses,
      delivery,
    },
  );
}

/** What the apply thread is to apply; its answer repeats the entries. */
export function storageApply(id: NodeId, entries: readonly Entry[]): WireMessage {
  const response = wireMessage(
    { type: 'MsgStorageApplyResp', from: APPLY_THREAD, to: id, term: 0 },
    { entries },
  );
  return wireMessage(
    { type: 'MsgStorageApply', from: id, to: APPLY_THREAD, term: 0 },
    { entries, responses: [response] },
  );
}
