import { type MethodName, type Rpc, RPCS } from '@etcd-ts/protocol';

/** What all paths of the gateway begin with. */
export const GATEWAY_PREFIX = '/v3/';

/** An older prefix that etcd rewrites to {@link GATEWAY_PREFIX} (server/embed/serve.go). */
const OLD_PREFIX = '/v3beta/';

const BY_PATH: ReadonlyMap<string, Rpc<MethodName>> = new Map(
  RPCS.flatMap((rpc) => rpc.gatewayPaths.map((path) => [path, rpc as Rpc<MethodName>] as const)),
);

/**
 * The RPC behind a path; undefined for a path below the gateway that it does not have, and `elsewhere` for one that is
 * none of its business.
 */
export function gatewayRoute(path: string): Rpc<MethodName> | undefined | 'elsewhere' {
  const current = path.startsWith(OLD_PREFIX)
    ? GATEWAY_PREFIX + path.slice(OLD_PREFIX.length)
    : path;
  return current.startsWith(GATEWAY_PREFIX) ? BY_PATH.get(current) : 'elsewhere';
}
