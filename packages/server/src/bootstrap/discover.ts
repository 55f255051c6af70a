/** Who the first members are, when the options say how to find them instead of naming them. */
import type { Env } from '../env.ts';
import type { ResolvedOptions } from '../options.ts';
import { StartError } from '../start-error.ts';
import { advertisedProblem, initialCluster } from './initial-cluster.ts';
import { meetInRegistry } from './registry.ts';
import { leadToSame } from './same-addresses.ts';
import { membersBySrv, type NameResolver } from './srv.ts';

/**
 * The options with the first members in them. Only for a member that has no data yet: it may register it, and wait for
 * others.
 *
 * @throws StartError BAD_OPTION, DISCOVERY_FAILED.
 */
export async function discovered(options: ResolvedOptions, env: Env): Promise<ResolvedOptions> {
  const { srv, registry } = options.discovery;
  const { name, initialAdvertisePeerUrls: advertisePeerUrls } = options;
  if (srv !== undefined) {
    if (env.names === undefined) throw noPort('names');
    const members = await membersBySrv(env.names, srv, { name, advertisePeerUrls });
    env.log.info('found the first members by DNS SRV', { members: Object.fromEntries(members) });
    return checked({ ...options, initialCluster: members }, env);
  }
  if (registry !== undefined) {
    if (env.connectRegistry === undefined) throw noPort('connectRegistry');
    const client = await env.connectRegistry(registry);
    try {
      const { clock, log } = env;
      const { token } = registry;
      const parts = { client, clock, log };
      const members = await meetInRegistry(parts, { token, name, advertisePeerUrls });
      return await checked(
        { ...options, initialCluster: members, initialClusterToken: token },
        env,
      );
    } finally {
      await client.close();
    }
  }
  return options;
}

async function checked(options: ResolvedOptions, { names }: Env): Promise<ResolvedOptions> {
  const { name, initialClusterToken: token, initialCluster: cluster } = options;
  initialCluster({ name, token, cluster });
  const { initialAdvertisePeerUrls: advertisePeerUrls } = options;
  const problem = advertisedProblem({ name, cluster, advertisePeerUrls });
  if (problem !== undefined && !(await isAdvertised(options, names))) throw problem;
  return options;
}

/** Whether what the member advertises leads to where the initial cluster has it, as names are resolved now. */
export function isAdvertised(
  { name, initialAdvertisePeerUrls, initialCluster: cluster }: ResolvedOptions,
  names: NameResolver | undefined,
): Promise<boolean> {
  return leadToSame(names, cluster.get(name) ?? [], initialAdvertisePeerUrls);
}

function noPort(port: string): StartError {
  return new StartError('BAD_OPTION', `the node's surroundings have no \`${port}\``);
}
