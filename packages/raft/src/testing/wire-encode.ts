import { unreachable } from '@etcd-ts/base';
import type { Entry, ForwardResult, Message } from '../index.ts';
import { shownTerm } from './bootstrap.ts';
import { type WireMessage, wireMessage } from './wire-message.ts';

/**
 * A core's message in etcd's terms.
 *
 * Sessions, read rounds and the ids of forwarded requests have no place in etcd's format. They are left
 * out where etcd has the message too and noted where the message is ours alone.
 */
export function toWire(message: Message): WireMessage {
  const delivery = { kind: 'step', message } as const;
  const { from, to, term } = message;
  switch (message.type) {
    case 'append':
      return wireMessage(
        { type: 'MsgApp', from, to, term },
        {
          logTerm: shownTerm(message.prevTerm, message.prevIndex),
          index: message.prevIndex,
          commit: message.commit,
          entries: message.entries,
          delivery,
        },
      );
    case 'appendResponse':
      return wireMessage(
        { type: 'MsgAppResp', from, to, term },
        {
          logTerm: message.rejected ? shownTerm(message.hintTerm, message.hintIndex) : 0,
          index: message.index,
          reject: message.rejected,
          rejectHint: message.rejected ? message.hintIndex : 0,
          delivery,
        },
      );
    case 'heartbeat':
      return wireMessage(
        { type: 'MsgHeartbeat', from, to, term },
        { commit: message.commit, note: roundNote(message.readRound), delivery },
      );
    case 'heartbeatResponse':
      return wireMessage(
        { type: 'MsgHeartbeatResp', from, to, term },
        { note: roundNote(message.readRound), delivery },
      );
    case 'vote':
    case 'preVote':
    case 'voteResponse':
    case 'preVoteResponse':
    case 'timeoutNow':
      return electionToWire(message);
    case 'snapshot':
      return wireMessage(
        { type: 'MsgSnap', from, to, term },
        { snapshot: message.snapshot, delivery },
      );
    case 'readRequest':
    case 'readResponse':
    case 'forward':
    case 'forwardResponse':
      return requestToWire(message);
    default:
      return unreachable(message);
  }
}

type ElectionMessage = Message & {
  readonly type: 'vote' | 'preVote' | 'voteResponse' | 'preVoteResponse' | 'timeoutNow';
};

function electionToWire(message: ElectionMessage): WireMessage {
  const delivery = { kind: 'step', message } as const;
  const { from, to, term } = message;
  switch (message.type) {
    case 'vote':
    case 'preVote':
      return wireMessage(
        { type: message.type === 'vote' ? 'MsgVote' : 'MsgPreVote', from, to, term },
        {
          logTerm: shownTerm(message.lastTerm, message.lastIndex),
          index: message.lastIndex,
          delivery,
        },
      );
    case 'voteResponse':
    case 'preVoteResponse':
      return wireMessage(
        {
          type: message.type === 'voteResponse' ? 'MsgVoteResp' : 'MsgPreVoteResp',
          from,
          to,
          term,
        },
        { reject: message.rejected, delivery },
      );
    case 'timeoutNow':
      return wireMessage({ type: 'MsgTimeoutNow', from, to, term }, { delivery });
    default:
      return unreachable(message);
  }
}

type RequestMessage = Message & {
  readonly type: 'readRequest' | 'readResponse' | 'forward' | 'forwardResponse';
};

/** Requests of followers; etcd's carry no term. */
function requestToWire(message: RequestMessage): WireMessage {
  const delivery = { kind: 'step', message } as const;
  const { from, to, term } = message;
  switch (message.type) {
    case 'readRequest':
      return wireMessage(
        { type: 'MsgReadIndex', from, to, term: 0 },
        { note: ` Read:${message.id}`, delivery },
      );
    case 'readResponse':
      return wireMessage(
        { type: 'MsgReadIndexResp', from, to, term },
        {
          index: message.index,
          note: ` Read:${message.id}${message.refused ? ' Refused' : ''}`,
          delivery,
        },
      );
    case 'forward':
      return wireMessage(
        { type: 'MsgProp', from, to, term: 0 },
        { entries: forwardedEntries(message.payloads), delivery },
      );
    case 'forwardResponse':
      return wireMessage(
        { type: 'MsgPropResp', from, to, term },
        { note: ` Results:[${message.results.map(describeResult).join(' ')}]`, delivery },
      );
    default:
      return unreachable(message);
  }
}

function roundNote(round: number): string {
  return round === 0 ? '' : ` Round:${round}`;
}

/** Forwarded payloads are no entries yet: etcd prints them at (0, 0). */
function forwardedEntries(payloads: readonly Entry['payload'][]): readonly Entry[] {
  return payloads.map((payload) => ({ index: 0, term: 0, payload }));
}

function describeResult(result: ForwardResult): string {
  return result.accepted
    ? `${result.id}:accepted@${result.index}`
    : `${result.id}:${result.reason}`;
}
