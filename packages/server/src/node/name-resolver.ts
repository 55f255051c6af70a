/** DNS, as the system is set up for it. */
import { Resolver, lookup } from 'node:dns/promises';
import type { NameResolver } from '../bootstrap/srv.ts';

/** @param servers DNS servers to ask for records, `host:port`. @defaultValue the system's */
export function nameResolver(servers?: readonly string[]): NameResolver {
  const resolver = new Resolver();
  if (servers !== undefined) resolver.setServers(servers);
  return {
    resolveSrv: (name) => resolver.resolveSrv(name),
    addresses: async (host) => {
      if (servers !== undefined) return resolver.resolve4(host);
      return (await lookup(host, { all: true })).map(({ address }) => address);
    },
  };
}
