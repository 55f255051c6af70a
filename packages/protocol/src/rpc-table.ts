/**
 * Every RPC of etcd's client API, as data: how to encode it, where the JSON gateway has it, who may call it.
 *
 * Source: etcd api/etcdserverpb/rpc.proto (gateway paths are its google.api.http annotations) and server/auth.
 */
import type { MethodName } from './rpcs.ts';
import { ADMIN_RPCS } from './rpc-table/admin-rpcs.ts';
import { AUTH_RPCS } from './rpc-table/auth-rpcs.ts';
import { DATA_RPCS } from './rpc-table/data-rpcs.ts';
import type { Rpc } from './rpc-table/rpc.ts';

/** All RPCs by name. */
export const RPC_TABLE: { readonly [Method in MethodName]: Rpc<Method> } = {
  ...DATA_RPCS,
  ...ADMIN_RPCS,
  ...AUTH_RPCS,
};

/** All RPCs. */
export const RPCS: readonly Rpc<MethodName>[] = Object.values(RPC_TABLE);
