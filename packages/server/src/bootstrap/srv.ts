/** Members and endpoints from DNS SRV records, under etcd's service names (client/pkg/srv). */
import { StartError } from '../start-error.ts';

/** One SRV record. */
export interface SrvRecord {
  /** The host, with or without the dot at its end. */
  readonly name: string;
  readonly port: number;
  /** Least first. */
  readonly priority: number;
  readonly weight: number;
}

/** What is asked of DNS. */
export interface NameResolver {
  /** @throws Error when there are no such records. */
  resolveSrv(name: string): Promise<readonly SrvRecord[]>;
  /** Addresses of a host. @throws Error when it is not known. */
  addresses(host: string): Promise<readonly string[]>;
}

/** Services that etcd's records are under, with the scheme that each means. */
const PEER_SERVICES = [
  ['etcd-server-ssl', 'https'],
  ['etcd-server', 'http'],
] as const;
const CLIENT_SERVICES = [
  ['etcd-client-ssl', 'https'],
  ['etcd-client', 'http'],
] as const;

/** Where to look. */
export interface SrvQuery {
  /** etcd --discovery-srv. */
  readonly domain: string;
  /** etcd --discovery-srv-name; joined to the service's name with a dash. */
  readonly suffix: string;
}

/** The full name of a service's records. */
export function srvName(service: string, { domain, suffix }: SrvQuery): string {
  return `_${suffix === '' ? service : `${service}-${suffix}`}._tcp.${domain}`;
}

/** The member that asks. */
export interface SrvAsker {
  readonly name: string;
  readonly advertisePeerUrls: readonly string[];
}

/**
 * The first members of a cluster. Who asks is the record that leads to one of its advertised URLs and keeps its name;
 * the others are called by number until they publish their own.
 *
 * @returns Peer URLs by name.
 * @throws StartError BAD_OPTION: no records, or none leads to the member that asks.
 */
export async function membersBySrv(
  resolver: NameResolver,
  query: SrvQuery,
  asker: SrvAsker,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const own = await addressesOf(resolver, asker.advertisePeerUrls);
  const members = new Map<string, string[]>();
  const failures: string[] = [];
  let unnamed = 0;
  for (const [service, scheme] of PEER_SERVICES) {
    const failed: string[] = [];
    const found = await lookUp(resolver, srvName(service, query), failed);
    failures.push(...failed.map((why) => `error querying DNS SRV records for _${service} ${why}`));
    for (const { name, port } of found) {
      const url = `${scheme}://${bare(name)}:${port}`;
      const isOwn = (await addressesOf(resolver, [url])).some((address) => own.includes(address));
      const member = isOwn ? asker.name : String(unnamed++);
      members.set(member, [...(members.get(member) ?? []), url]);
    }
  }
  if (members.size === 0) {
    const message = `error setting up initial cluster: ${failures.join('; ')}`;
    throw new StartError('BAD_OPTION', message);
  }
  if (!members.has(asker.name)) {
    throw new StartError(
      'BAD_OPTION',
      `error setting up initial cluster: cannot find local etcd member "${asker.name}" in SRV records (none of ${query.domain} leads to ${asker.advertisePeerUrls.join(',')})`,
    );
  }
  return members;
}

/** An endpoint that a record names. */
export interface SrvEndpoint {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/**
 * The client endpoints of a cluster.
 *
 * @throws StartError BAD_OPTION: no records.
 */
export async function endpointsBySrv(
  resolver: NameResolver,
  query: SrvQuery,
): Promise<readonly SrvEndpoint[]> {
  const failures: string[] = [];
  const endpoints: SrvEndpoint[] = [];
  for (const [service, scheme] of CLIENT_SERVICES) {
    for (const record of await lookUp(resolver, srvName(service, query), failures)) {
      const { port, priority, weight } = record;
      endpoints.push({ scheme, host: bare(record.name), port, priority, weight });
    }
  }
  if (endpoints.length > 0) return endpoints;
  throw new StartError('BAD_OPTION', `dns lookup errors: ${failures.join(' and ')}`);
}

async function lookUp(
  resolver: NameResolver,
  name: string,
  failures: string[],
): Promise<readonly SrvRecord[]> {
  try {
    return await resolver.resolveSrv(name);
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string };
    const isAbsent = code === 'ENOTFOUND' || code === 'ENODATA';
    failures.push(`lookup ${name}: ${isAbsent ? 'no such host' : message}`);
    return [];
  }
}

/** `address:port` of URLs; a host that is not known has none. */
export async function addressesOf(
  resolver: NameResolver,
  urls: readonly string[],
): Promise<string[]> {
  const found = await Promise.all(
    urls.map(async (text) => {
      const { hostname, port } = new URL(text);
      const host = hostname.replace(/^\[|\]$/g, '');
      const addresses = await resolver.addresses(host).catch((): string[] => []);
      return [host, ...addresses].map((address) => `${address}:${port}`);
    }),
  );
  return found.flat();
}

function bare(host: string): string {
  return host.replace(/\.$/, '');
}
