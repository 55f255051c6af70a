/** A client of the registry of a discovery, as the options say. */
import { readFile } from 'node:fs/promises';
import type { EtcdClient } from '@etcd-ts/client';
import { connect, type GrpcChannelOptions } from '@etcd-ts/client/node';
import type { Registry } from '../options/discovery-options.ts';

/** @throws Error when a certificate file cannot be read. */
export async function connectRegistry(registry: Registry): Promise<EtcdClient> {
  const { endpoints, tls, user, requestTimeoutMs } = registry;
  const channel: GrpcChannelOptions = {
    keepAliveIntervalMs: registry.keepaliveTimeMs,
    keepAliveTimeoutMs: registry.keepaliveTimeoutMs,
    connectTimeoutMs: registry.dialTimeoutMs,
    ...(tls === undefined ? {} : { tls: await tlsOf(tls) }),
  };
  return connect({
    endpoints,
    timeoutMs: requestTimeoutMs,
    channel,
    ...(user === undefined ? {} : { credentials: user }),
  });
}

async function tlsOf(
  tls: NonNullable<Registry['tls']>,
): Promise<NonNullable<GrpcChannelOptions['tls']>> {
  const read = async (name: string, path: string): Promise<Record<string, Buffer>> =>
    path === '' ? {} : { [name]: await readFile(path) };
  return {
    ...(await read('cert', tls.cert)),
    ...(await read('key', tls.key)),
    ...(await read('ca', tls.ca)),
    rejectUnauthorized: !tls.skipsVerification,
  };
}
