/**
 * Compares one of our members with real etcd, both over gRPC:
 * `npm run differential -- --seed N --seeds N --ops N [--services | --self] [--auth | --unary] [--json] [--keep-going]`.
 *
 * Each seed drives two fresh servers with the same requests; the first difference is printed with the command that
 * repeats it. `--services` leaves out consensus and wire on our side. `--auth` has several users
 * ask, with authentication on; `--unary` asks every service, without watches; `--json` asks either through the gateway. `--self` compares real etcd with itself, which shows that a difference is not the comparison's own.
 */
import { inspect, parseArgs } from 'node:util';
import type { Channel } from '@etcd-ts/protocol';
import { hasEtcd, realEtcd } from '../../../tools/peers/real-etcd.ts';
import { compareAuth } from '../test/differential/auth-run.ts';
import { startMember, startServices } from '../test/differential/ours.ts';
import { differingPaths } from '../test/differential/paths.ts';
import { GatewayChannel } from '../test/differential/gateway-channel.ts';
import { compareServers } from '../test/differential/run.ts';
import { startRealEtcd, type Target } from '../test/differential/target.ts';
import { compareUnary } from '../test/differential/unary-run.ts';

/** How long a watch event may stay away before it counts as missing. */
const WATCH_TIMEOUT_MS = 5_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    ops: { type: 'string', default: '4000' },
    self: { type: 'boolean', default: false },
    services: { type: 'boolean', default: false },
    auth: { type: 'boolean', default: false },
    unary: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
});

function startLeft(etcd: string): Promise<Target> {
  if (values.self) return startRealEtcd(etcd);
  return values.services ? startServices() : startMember();
}

const flags = (['services', 'self', 'auth', 'unary', 'json'] as const)
  .map((flag) => (values[flag] ? ` --${flag}` : ''))
  .join('');

function channelOf({ channel, clientUrl }: Target): Channel {
  if (!values.json) return channel;
  if (clientUrl === undefined) throw new Error('--services have no gateway');
  return new GatewayChannel(clientUrl);
}

const compare = values.auth ? compareAuth : values.unary ? compareUnary : compareServers;
const peers = realEtcd();
if (hasEtcd(peers)) {
  const first = Number(values.seed);
  let requests = 0;
  for (let seed = first; seed < first + Number(values.seeds); seed++) {
    const [ours, theirs] = await Promise.all([startLeft(peers.etcd), startRealEtcd(peers.etcd)]);
    const startedMs = performance.now();
    const result = await compare(channelOf(ours), channelOf(theirs), {
      seed,
      operations: Number(values.ops),
      watchTimeoutMs: WATCH_TIMEOUT_MS,
    });
    await Promise.all([ours.stop(), theirs.stop()]);
    requests += result.requests;
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`seed ${seed}: ${result.requests} requests in ${seconds} s`);
    if (result.difference !== undefined) {
      process.exitCode = 1;
      const { step, asked, ours: left, theirs: right } = result.difference;
      console.log(inspect(asked, { depth: 12, maxStringLength: 200 }));
      for (const line of differingPaths(left, right)) console.log(line);
      console.log(`again: npm run differential -- --seed ${seed} --ops ${step}${flags}`);
      if (!values['keep-going']) break;
    }
  }
  console.log(`${requests} requests compared`);
}
