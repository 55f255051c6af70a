/** `etcd-ts gateway start`. */
import { connect as connectTls } from 'node:tls';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { endpointsBySrv, type NameResolver, type SrvEndpoint } from '../../bootstrap/srv.ts';
import type { Logger } from '../../logger.ts';
import { BOOLEAN, DURATION, LIST, TEXT } from '../../node/flags/kinds.ts';
import { systemClock } from '../../node/system-clock.ts';
import { StartError } from '../../start-error.ts';
import type { Backend } from '../backends.ts';
import { type CommandFlag, commandFlag, type CommandValues } from './command-flags.ts';
import { Gateway } from './gateway.ts';

/** etcd's flags. */
export const GATEWAY_FLAGS: readonly CommandFlag[] = [
  commandFlag('listen-addr', TEXT, '127.0.0.1:23790', 'listen address'),
  commandFlag('discovery-srv', TEXT, '', 'DNS domain whose SRV records name the endpoints'),
  commandFlag('discovery-srv-name', TEXT, '', "suffix of the service's name in them"),
  commandFlag('insecure-discovery', BOOLEAN, 'false', 'take records without TLS, too'),
  commandFlag('trusted-ca-file', TEXT, '', 'authorities that endpoints found by DNS must be of'),
  commandFlag('endpoints', LIST, '127.0.0.1:2379', 'endpoints of the members, with commas'),
  commandFlag('retry-delay', DURATION, '1m0s', 'pause before a failed endpoint is tried again'),
];

/** An endpoint found by DNS that does not shake hands within so long is left out, in milliseconds. */
const CHECK_TIMEOUT_MS = 3_000;

/**
 * Starts the gateway.
 *
 * @throws StartError: a bad address, no endpoints, or LISTEN_FAILED.
 */
export async function startGateway(
  values: CommandValues,
  log: Logger,
  names: NameResolver,
): Promise<Gateway> {
  const { host, port } = readAddress(values.get('listen-addr') as string);
  const retryDelayMs = values.get('retry-delay') as number;
  if (retryDelayMs <= 0) throw bad(`--retry-delay must be above zero, is ${retryDelayMs} ms`);
  const backends = await backendsOf(values, log, names);
  const draw = (): number => Math.random();
  return Gateway.start({ host, port, backends, retryDelayMs, clock: systemClock, log, draw });
}

/** Takes `host:port` apart. @throws StartError BAD_OPTION. */
export function readAddress(text: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(text) ?? [];
  if (port === '' || Number(port) > 65_535) throw bad(`address ${text} has not the form host:port`);
  return { host: host.replace(/^\[|\]$/g, '') || '0.0.0.0', port: Number(port) };
}

async function backendsOf(
  values: CommandValues,
  log: Logger,
  names: NameResolver,
): Promise<readonly Backend[]> {
  const domain = values.get('discovery-srv') as string;
  if (domain === '') {
    const endpoints = values.get('endpoints') as readonly string[];
    const addresses = endpoints.map((endpoint) => endpoint.replace(/^[a-z]+:\/\//, ''));
    for (const address of addresses) readAddress(address);
    if (addresses.length === 0) throw bad('no endpoints found');
    return addresses.map((address) => ({ address, priority: 0, weight: 0 }));
  }
  const suffix = values.get('discovery-srv-name') as string;
  const found = await discoverEndpoints({ domain, suffix }, values, log, names);
  return found.map(({ host, port, priority, weight }) => ({
    address: `${host}:${port}`,
    priority,
    weight,
  }));
}

/**
 * Endpoints by DNS that may be used: those of TLS that show a certificate of the trusted authority where one is named,
 * and those without TLS when they are asked for.
 *
 * @throws StartError BAD_OPTION: none.
 */
export async function discoverEndpoints(
  query: { readonly domain: string; readonly suffix: string },
  values: CommandValues,
  log: Logger,
  names: NameResolver,
): Promise<readonly SrvEndpoint[]> {
  const found = await endpointsBySrv(names, query);
  log.info('discovered endpoints', { domain: query.domain, count: found.length });
  if (values.get('insecure-discovery') === true) return found;
  const caFile = values.get('trusted-ca-file') as string;
  const ca = caFile === '' ? undefined : await readFile(caFile);
  const secure = found.filter(({ scheme }) => scheme === 'https');
  const checked = await Promise.all(
    secure.map(async (endpoint) => ((await isTrusted(endpoint, ca, log)) ? [endpoint] : [])),
  );
  const usable = checked.flat();
  if (usable.length === 0) {
    throw bad(`could not find secure endpoints at ${query.domain} (see --insecure-discovery)`);
  }
  return usable;
}

function isTrusted(
  { host, port }: SrvEndpoint,
  ca: Buffer | undefined,
  log: Logger,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({
      host,
      port,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(ca === undefined ? {} : { ca }),
    });
    socket.setTimeout(CHECK_TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')));
    socket.once('secureConnect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      log.warn('remove a discovered endpoint', { endpoint: `${host}:${port}`, error });
      resolve(false);
    });
  });
}

function bad(message: string): StartError {
  return new StartError('BAD_OPTION', message);
}
