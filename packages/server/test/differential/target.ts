/** A server under comparison, as a channel: ours in process or over gRPC, real etcd over gRPC. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ConnectionOptions } from 'node:tls';
import { GrpcChannel } from '@etcd-ts/client/node';
import type { Channel } from '@etcd-ts/protocol';
import { freePorts } from '../../../../tools/peers/free-ports.ts';

/** A running server. */
export interface Target {
  readonly channel: Channel;
  /** Its JSON gateway; none in process. */
  readonly clientUrl?: string;
  stop(): Promise<void>;
}

/** How real etcd is set up. */
export interface RealEtcdOptions {
  readonly flags?: readonly string[];
  /** Clients come by TLS, as node:tls takes it. */
  readonly tls?: ConnectionOptions;
}

/** Starts real etcd with one member in a folder of its own, and waits until it serves. */
export async function startRealEtcd(
  program: string,
  { flags = [], tls }: RealEtcdOptions = {},
): Promise<Target & { readonly clientUrl: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'real-etcd-'));
  const [clientPort, peerPort] = await freePorts(2);
  const clientUrl = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const etcd = spawn(
    program,
    [
      ['--data-dir', folder],
      ['--listen-client-urls', clientUrl],
      ['--advertise-client-urls', clientUrl],
      ['--listen-peer-urls', peerUrl],
      ['--initial-advertise-peer-urls', peerUrl],
      ['--initial-cluster', `default=${peerUrl}`],
      ['--unsafe-no-fsync'],
      flags,
    ].flat(),
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = once(etcd, 'exit');
  await serves(etcd);
  const channel = new GrpcChannel(clientUrl, tls === undefined ? {} : { tls });
  return {
    channel,
    clientUrl,
    stop: async () => {
      await channel.close();
      etcd.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function serves(etcd: ChildProcess): Promise<void> {
  const { stderr } = etcd;
  if (stderr === null) throw new Error('etcd has no stderr');
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: stderr });
    lines.on('line', (line) => {
      if (line.includes('ready to serve client requests')) resolve();
    });
    lines.on('close', () => reject(new Error(`etcd ended with code ${etcd.exitCode}`)));
  });
}
