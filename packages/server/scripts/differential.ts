/** Compares one of our members with real etcd, both over gRPC or JSON: each seed drives two fresh servers alike. */
import { inspect } from 'node:util';
import type { Channel } from '@etcd-ts/protocol';
import { readCommandLine, wholeNumber } from '../../../tools/command-line/command-line.ts';
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

const USAGE = `usage: npm run differential -- [options]

  --seed N      the first seed (default 1)
  --seeds N     how many seeds (default 1)
  --ops N       requests of one seed (default 4000)
  --auth        several users ask, with authentication on
  --unary       every service is asked, without watches
  --json        ask through the gateway
  --services    leave out consensus and wire on our side
  --self        compare real etcd with itself: a difference then is the comparison's own
  --keep-going  go on with the next seed after a difference

The first difference is printed with the command that repeats it.`;

const { values } = readCommandLine(USAGE, {
  seed: { type: 'string', default: '1' },
  seeds: { type: 'string', default: '1' },
  ops: { type: 'string', default: '4000' },
  self: { type: 'boolean', default: false },
  services: { type: 'boolean', default: false },
  auth: { type: 'boolean', default: false },
  unary: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  'keep-going': { type: 'boolean', default: false },
});
const [first, seeds, operations] = (['seed', 'seeds', 'ops'] as const).map((flag) =>
  wholeNumber(USAGE, `--${flag}`, values[flag]),
) as [number, number, number];

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
  let requests = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const [ours, theirs] = await Promise.all([startLeft(peers.etcd), startRealEtcd(peers.etcd)]);
    const startedMs = performance.now();
    const result = await compare(channelOf(ours), channelOf(theirs), {
      seed,
      operations,
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
