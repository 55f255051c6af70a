/**
 * Three members in one process: what `npm start` runs.
 *
 * Boots them on 127.0.0.1, puts and reads through a follower, watches, stops the leader as a crash would, shows the new
 * leader and the time without one, brings the old one back. Then it serves until Ctrl-C; with `--once` it ends there.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { idToHex } from '@etcd-ts/base';
import { connect } from '@etcd-ts/client/node';
import { EtcdNode, type EtcdNodeOptions, StartError } from '@etcd-ts/server';

const CLIENT_PORTS = [2379, 22379, 32379] as const;
const PEER_PORTS = [2380, 22380, 32380] as const;

const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-start-'));

function optionsOf(index: number): EtcdNodeOptions {
  const peerUrl = (i: number): string => `http://127.0.0.1:${PEER_PORTS[i]}`;
  return {
    name: `m${index + 1}`,
    dataDir: join(folder, `m${index + 1}`),
    listenClientUrls: [`http://127.0.0.1:${CLIENT_PORTS[index]}`],
    listenPeerUrls: [peerUrl(index)],
    initialCluster: { m1: peerUrl(0), m2: peerUrl(1), m3: peerUrl(2) },
  };
}

/** A step of the demonstration: what happens, and how long it took. */
async function step<T>(
  what: string,
  run: () => Promise<T>,
  say: (result: T) => string,
): Promise<T> {
  const before = performance.now();
  const result = await run();
  const took = `${Math.round(performance.now() - before)} ms`;
  console.log(`  ${what.padEnd(34)} ${say(result)} (${took})`);
  return result;
}

function leaderAmong(nodes: readonly EtcdNode[]): EtcdNode | undefined {
  return nodes.find((node) => node.phase === 'running' && node.status().isLeader);
}

/** Resolves when one of the nodes leads. */
function newLeader(nodes: readonly EtcdNode[]): Promise<EtcdNode> {
  return new Promise((resolve) => {
    const look = (): void => {
      const leader = leaderAmong(nodes);
      if (leader === undefined) return;
      for (const node of nodes) node.off('status', look);
      resolve(leader);
    };
    for (const node of nodes) node.on('status', look);
    look();
  });
}

/** Resolves when a node has applied what another has. */
function caughtUp(node: EtcdNode, other: EtcdNode): Promise<number> {
  return new Promise((resolve) => {
    const look = (): void => {
      const { appliedIndex } = node.status();
      if (appliedIndex < other.status().appliedIndex) setTimeout(look, 5);
      else resolve(appliedIndex);
    };
    look();
  });
}

async function demonstrate(nodes: EtcdNode[]): Promise<void> {
  const leader = await step(
    'three members elect a leader',
    async () => {
      await Promise.all(nodes.map((node) => node.ready()));
      return newLeader(nodes);
    },
    (node) => `${node.options.name} leads term ${node.status().term}`,
  );
  const [follower, third] = nodes.filter((node) => node !== leader) as [EtcdNode, EtcdNode];
  // Over gRPC, as any etcd client would.
  const client = connect({ endpoints: follower.clientUrls });
  const watch = third.client().watch({ prefix: 'demo/' });
  await watch.created;

  const put = await step(
    `put through follower ${follower.options.name}`,
    () => client.put('demo/greeting', 'hello'),
    ({ revision }) => `revision ${revision}`,
  );
  await step(
    `read through follower ${follower.options.name}`,
    () => client.get('demo/greeting'),
    (entry) => `${entry?.keyText} = ${entry?.text}`,
  );
  await step(
    `watch on ${third.options.name}`,
    async () => {
      for await (const event of watch) return event;
      return undefined;
    },
    (event) => `${event?.type} ${event?.entry.keyText} at revision ${event?.entry.modRevision}`,
  );

  const survivors = nodes.filter((node) => node !== leader);
  await leader.kill();
  const successor = await step(
    `${leader.options.name} crashes; without a leader for`,
    () => newLeader(survivors),
    (node) => `${node.options.name} leads term ${node.status().term}`,
  );
  await step(
    'the next write succeeds',
    () => successor.client().put('demo/after', 'the crash'),
    ({ revision }) => `revision ${revision}, the one after ${put.revision}`,
  );

  const index = nodes.indexOf(leader);
  const back = await step(
    `${leader.options.name} starts again and catches up`,
    async () => {
      const node = await EtcdNode.start(optionsOf(index));
      nodes[index] = node;
      await node.ready();
      await Promise.all(nodes.map((each) => caughtUp(each, successor)));
      return node;
    },
    (node) => `applied index ${node.status().appliedIndex}`,
  );
  const hashes = new Set(nodes.map((node) => node.stateHash()));
  if (hashes.size !== 1) throw new Error(`members differ: ${[...hashes].join(', ')}`);
  console.log(`  all three hold the same state, cluster ${idToHex(back.clusterId)}`);
  await client.close();
}

async function main(): Promise<void> {
  const once = process.argv.includes('--once');
  const nodes: EtcdNode[] = [];
  const end = async (code: number): Promise<never> => {
    await Promise.all(nodes.map((node) => node.stop()));
    rmSync(folder, { recursive: true, force: true });
    process.exit(code);
  };
  try {
    for (const index of CLIENT_PORTS.keys()) nodes.push(await EtcdNode.start(optionsOf(index)));
    console.log(`etcd-ts: three members in one process, data in ${folder}\n`);
    await demonstrate(nodes);
  } catch (error) {
    const reason = error instanceof StartError ? error.message : error;
    console.error('the demonstration failed:', reason);
    await end(1);
  }
  if (once) await end(0);
  const endpoints = CLIENT_PORTS.map((port) => `127.0.0.1:${port}`).join(',');
  console.log(
    `\nServing until Ctrl-C. Try:\n  etcdctl --endpoints=${endpoints} endpoint status -w table`,
  );
  console.log(`  curl http://127.0.0.1:${CLIENT_PORTS[0]}/health`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end(0));
}

await main();
