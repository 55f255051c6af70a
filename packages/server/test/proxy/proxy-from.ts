/** A gRPC proxy from a command line, and members for it, on free ports. */
import { GrpcChannel, type GrpcChannelOptions } from '@etcd-ts/client/node';
import { EtcdNode, type EtcdNodeOptions } from '../../src/index.ts';
import { type Logger, silentLogger } from '../../src/logger.ts';
import { nameResolver } from '../../src/node/name-resolver.ts';
import { readCommandFlags } from '../../src/proxy/node/command-flags.ts';
import { GRPC_PROXY_FLAGS } from '../../src/proxy/node/grpc-proxy-flags.ts';
import { type GrpcProxy, startGrpcProxy } from '../../src/proxy/node/grpc-proxy.ts';

/** What is ended behind a test, the last first. */
export const ends: (() => Promise<unknown> | void)[] = [];

/** Ends what was started. */
export async function closeAll(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end();
}

/** Starts a proxy with these flags. */
export async function proxyFrom(
  flags: readonly string[],
  log: Logger = silentLogger,
  names: ReturnType<typeof nameResolver> = nameResolver(),
): Promise<GrpcProxy> {
  const values = readCommandFlags(['--listen-addr=127.0.0.1:0', ...flags], GRPC_PROXY_FLAGS);
  const started = await startGrpcProxy(values!, log, names);
  ends.push(() => started.close(0));
  return started;
}

/** Where a proxy with these flags serves. */
export async function proxy(flags: readonly string[], log?: Logger): Promise<string> {
  return (await proxyFrom(flags, log)).url;
}

/** A channel to a proxy or a member. */
export function channelTo(url: string, options: GrpcChannelOptions = {}): GrpcChannel {
  const channel = new GrpcChannel(url, options);
  ends.push(() => channel.close());
  return channel;
}

/** A member, and the flag that leads a proxy to it. */
export async function member(
  options: EtcdNodeOptions = {},
): Promise<{ readonly node: EtcdNode; readonly endpoints: string }> {
  const node = await EtcdNode.start({ listenClientUrls: ['http://127.0.0.1:0'], ...options });
  ends.push(() => node.stop());
  await node.ready();
  return { node, endpoints: `--endpoints=${node.clientUrls[0]}` };
}
