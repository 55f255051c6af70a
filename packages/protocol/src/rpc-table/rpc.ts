/** What is known of one RPC. */
import type { MethodName, RequestOf, ResponseOf, RpcKind, RpcTypes } from '../rpcs.ts';
import type { MessageCodec } from '../wire/codec.ts';

/**
 * Who may call when auth is on.
 * - `none`: everyone, also without token.
 * - `user`: any user.
 * - `keys`: by the keys that the request names.
 * - `lease-keys`: any user with a right to all keys attached to the lease.
 * - `root`: user root alone, or a user with role root.
 * - `root-to-change`: any user to look, root to change.
 * - `root-or-self`: root, the user itself, or a user that has the role.
 * - `inner`: as the key and lease operations that the service does with the caller's token.
 */
export type AuthKind =
  | 'none'
  | 'user'
  | 'keys'
  | 'lease-keys'
  | 'root'
  | 'root-to-change'
  | 'root-or-self'
  | 'inner';

/** One RPC. */
export interface Rpc<Method extends MethodName> {
  /** `package.Service/Method`. */
  readonly name: Method;
  /** `package.Service`. */
  readonly service: string;
  readonly method: string;
  readonly kind: RpcTypes[Method]['kind'];
  readonly request: MessageCodec<RequestOf<Method>>;
  readonly response: MessageCodec<ResponseOf<Method>>;
  /** Paths of the JSON gateway, all POST; empty when it has none. */
  readonly gatewayPaths: readonly string[];
  readonly auth: AuthKind;
}

/** One entry of the table. */
export function rpc<Method extends MethodName>(
  name: Method,
  kind: RpcTypes[Method]['kind'] & RpcKind,
  codecs: readonly [MessageCodec<RequestOf<Method>>, MessageCodec<ResponseOf<Method>>],
  auth: AuthKind,
  ...gatewayPaths: readonly string[]
): Rpc<Method> {
  const slash = name.indexOf('/');
  const service = name.slice(0, slash);
  const method = name.slice(slash + 1);
  const [request, response] = codecs;
  return Object.freeze({ name, service, method, kind, request, response, gatewayPaths, auth });
}
