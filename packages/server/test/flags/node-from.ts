/** A node from a command line, for the tests of what flags do: in memory, on free ports, without peers. */
import { connect } from '@etcd-ts/client/node';
import { EtcdNode } from '../../src/etcd-node.ts';
import type { LogFields, Logger } from '../../src/logger.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { InMemoryNetwork } from '../../src/peers/in-memory-network.ts';
import { settingsOf } from './settings.ts';

/** A line of the log. */
export interface Said {
  readonly message: string;
  readonly fields: LogFields;
}

/** A running node and what it said. */
export interface Started {
  readonly node: EtcdNode;
  readonly said: readonly Said[];
  /** The first URL for clients. */
  readonly url: string;
  readonly client: ReturnType<typeof connect>;
}

const toClose: (() => Promise<unknown>)[] = [];

/** Starts a node with these flags besides those of its addresses. */
export async function nodeFrom(...flags: string[]): Promise<Started> {
  const words = [
    '--listen-client-urls=http://127.0.0.1:0',
    '--advertise-client-urls=http://127.0.0.1:1',
    ...flags,
  ];
  const { dataDir, listenPeerUrls: _peers, ...options } = settingsOf({ words }).options;
  const said: Said[] = [];
  const line = (message: string, fields: LogFields = {}) => void said.push({ message, fields });
  const logger: Logger = { debug: line, info: line, warn: line, error: line };
  const isOnDisk = flags.some((flag) => flag.startsWith('--data-dir'));
  const node = await EtcdNode.start({
    ...options,
    ...(isOnDisk && dataDir !== undefined ? { dataDir } : {}),
    logger,
    network: new InMemoryNetwork(systemClock),
  });
  toClose.push(() => node.stop());
  await node.ready();
  const url = node.clientUrls[0] as string;
  const client = connect({ endpoints: [url], timeoutMs: 10_000 });
  toClose.push(() => client.close());
  return { node, said, url, client };
}

/** Ends what {@link nodeFrom} started. */
export async function closeAll(): Promise<void> {
  for (const close of toClose.splice(0).reverse()) await close();
}
