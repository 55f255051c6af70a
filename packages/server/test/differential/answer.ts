/**
 * Answers in a form in which two servers can be compared: ids of cluster and members, terms and remaining times taken
 * out; what has no defined order put in one.
 */
import { compareBytes, equalBytes, toLatin1 } from '@etcd-ts/base';
import {
  EtcdError,
  type KeyValue,
  type RangeRequest,
  type RangeResponse,
  type TxnRequest,
  type TxnResponse,
} from '@etcd-ts/protocol';
import { LEASES } from './lease-requests.ts';
import type { UnaryStep } from './step.ts';

/** What a server answered. */
export type Answer =
  | { readonly ok: unknown }
  | { readonly error: { readonly status: number; readonly message: string } };

/** Takes a rejection as an answer. */
export function errorAnswer(error: unknown): Answer {
  const { status, message } = EtcdError.from(error);
  return { error: { status, message } };
}

/** The answer, comparable. */
export function comparable(step: UnaryStep, answer: Answer): unknown {
  if ('error' in answer) return answer;
  return plain(normalise(step, answer.ok));
}

function normalise(step: UnaryStep, response: unknown): unknown {
  switch (step.method) {
    case 'etcdserverpb.KV/Range':
      return normaliseRange(step.request, response as RangeResponse);
    case 'etcdserverpb.KV/Txn':
      return normaliseTxn(step.request, response as TxnResponse);
    case 'etcdserverpb.Lease/LeaseGrant': {
      const { ID, ...rest } = response as { ID: bigint };
      // The server's choice is its own, as long as it is positive.
      return { ...rest, ID: step.request.ID === 0n ? ID > 0n : ID };
    }
    case 'etcdserverpb.Lease/LeaseLeases': {
      const { leases, ...rest } = response as { leases: { ID: bigint }[] };
      const known = new Set(LEASES);
      return { ...rest, leases: leases.map(({ ID }) => (known.has(ID) ? ID : 'chosen')) };
    }
    case 'etcdserverpb.Lease/LeaseTimeToLive': {
      const { TTL, grantedTTL, keys, ...rest } = response as {
        TTL: number;
        grantedTTL: number;
        keys: Uint8Array[];
      };
      // Remaining time is compared within a margin for slow runs; keys come in no order.
      const left = TTL > grantedTTL - 60 && TTL <= grantedTTL ? 'about all' : TTL;
      return { ...rest, TTL: left, grantedTTL, keys: keys.map(toLatin1).sort() };
    }
    case 'etcdserverpb.Auth/RoleGet': {
      // Permissions of one key come in no order.
      const { perm, ...rest } = response as { perm: { key: Uint8Array; rangeEnd: Uint8Array }[] };
      return {
        ...rest,
        perm: perm.sort(
          (a, b) => compareBytes(a.key, b.key) || compareBytes(a.rangeEnd, b.rangeEnd),
        ),
      };
    }
    case 'etcdserverpb.Maintenance/HashKV': {
      // hash_revision came with 3.6.
      const { hashRevision: _, ...rest } = response as { hashRevision: number };
      return rest;
    }
    case 'etcdserverpb.Maintenance/Alarm': {
      const { alarms, ...rest } = response as { alarms: { memberID: bigint; alarm: number }[] };
      return { ...rest, alarms: alarms.map((a) => `${a.memberID} ${a.alarm}`).sort() };
    }
    case 'etcdserverpb.Cluster/MemberList': {
      const { members, ...rest } = response as { members: { name: string; isLearner: boolean }[] };
      return { ...rest, members: members.map(({ name, isLearner }) => ({ name, isLearner })) };
    }
    case 'etcdserverpb.Maintenance/Status': {
      const { errors, isLearner, header } = response as Record<string, unknown>;
      return { errors, isLearner, header };
    }
    default:
      return response;
  }
}

function normaliseTxn(request: TxnRequest, response: TxnResponse): TxnResponse {
  const branch = response.succeeded ? request.success : request.failure;
  return {
    ...response,
    responses: response.responses.map(({ response: op }, i) => {
      const asked = branch[i]?.request;
      if (op?.$case === 'responseRange' && asked?.$case === 'requestRange') {
        return { response: { $case: op.$case, value: normaliseRange(asked.value, op.value) } };
      }
      if (op?.$case === 'responseTxn' && asked?.$case === 'requestTxn') {
        return { response: { $case: op.$case, value: normaliseTxn(asked.value, op.value) } };
      }
      return { response: op };
    }),
  };
}

/** Keys that tie in the order asked for come in any order; a limit may cut any of the last tie. */
function normaliseRange(request: RangeRequest, response: RangeResponse): RangeResponse {
  if (request.sortTarget === 0 || response.kvs.length === 0) return response;
  const groups: KeyValue[][] = [];
  for (const kv of response.kvs) {
    const last = groups.at(-1);
    if (last !== undefined && ties(request, last[0]!, kv)) last.push(kv);
    else groups.push([kv]);
  }
  for (const group of groups) group.sort((a, b) => (toLatin1(a.key) < toLatin1(b.key) ? -1 : 1));
  const isCut = response.more || request.limit > 0;
  if (isCut) {
    const cut = groups.at(-1)!;
    groups[groups.length - 1] = cut.map((kv) => ({ ...kv, ...UNKNOWN }));
  }
  return { ...response, kvs: groups.flat() };
}

const UNKNOWN: Omit<KeyValue, never> = {
  key: new Uint8Array(0),
  createRevision: 0,
  modRevision: 0,
  version: 0,
  value: new Uint8Array(0),
  lease: 0n,
};

function ties({ sortTarget, keysOnly }: RangeRequest, a: KeyValue, b: KeyValue): boolean {
  switch (sortTarget) {
    case 1:
      return a.version === b.version;
    case 2:
      return a.createRevision === b.createRevision;
    case 3:
      return a.modRevision === b.modRevision;
    default:
      // Sorted by values that keys_only then drops: any order may be right.
      return keysOnly || equalBytes(a.value, b.value);
  }
}

/** Plain data: bytes as latin1 text, ids as text, headers with the revision alone. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes:${toLatin1(value)}`;
  if (typeof value === 'bigint') return `id:${value}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [
        name,
        name === 'header' ? (field as { revision: number }).revision : plain(field),
      ]),
  );
}
