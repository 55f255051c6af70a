// End users.
export { Auth, type Right } from './auth.ts';
export { type ClientCallOptions } from './caller.ts';
export { Cluster } from './cluster.ts';
export { Entry, type WatchEvent } from './entry.ts';
export { codeOf, DEFAULT_TIMEOUT_MS, EtcdClient, type EtcdClientOptions } from './etcd-client.ts';
export type { Bytes, KeyRange, Keys } from './key.ts';
export type {
  DeleteOptions,
  DeleteResult,
  PutOptions,
  PutResult,
  RangeOptions,
  RangeResult,
} from './kv.ts';
export { LeaseKeeper } from './lease/lease-keeper.ts';
export { type GrantedLease, Leases, type LeaseStanding } from './lease/leases.ts';
export { Maintenance, type MemberCallOptions } from './maintenance.ts';
export type { Credentials } from './tokens.ts';
export { compare, op, type Op, type Operator, type OpResult, Txn, type TxnResult } from './txn.ts';
export type { WatchBatch, WatchOptions } from './watch/subscription.ts';
export { Watcher } from './watch/watcher.ts';
export { EtcdError } from '@etcd-ts/protocol';

// Those who bring channels and surroundings of their own.
export type { Clock, Random, Timer } from './clock.ts';
export { toBytes, toRange } from './key.ts';
