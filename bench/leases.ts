/**
 * npm run bench -- leases [LEASES]: what puts take while many leases end at once, against what they take otherwise.
 *
 * A member alone, in memory: one caller puts as fast as it is answered, first with nothing else going on, then while
 * all leases, one key each, end within seconds.
 */
import { EtcdNode } from '@etcd-ts/server';

const leases = Number(process.argv[2] ?? 10_000);
const TTL_SECONDS = 12;
const NORMAL_MS = 1_500;
/** From before the first lease can end until after the last one has. */
const EXPIRY_MS = 3_500;
/** Grants that are under way at a time. */
const LANES = 64;

const node = await EtcdNode.start({});
const client = node.client();

/** Durations of puts, one after the other, in milliseconds, sorted. */
async function puts(durationMs: number): Promise<number[]> {
  const taken: number[] = [];
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs) {
    const beganMs = performance.now();
    await client.put('busy', `${taken.length}`);
    taken.push(performance.now() - beganMs);
  }
  return taken.sort((a, b) => a - b);
}

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;

const row = (name: string, sorted: readonly number[]): void => {
  const ms = (q: number): string => quantile(sorted, q).toFixed(3).padStart(9);
  console.log(
    `${name.padEnd(24)}${ms(0.5)}${ms(0.99)}${ms(1)}${String(sorted.length).padStart(9)}`,
  );
};

async function grantAll(): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < leases; i = next++) {
      const { id } = await client.lease.grant(TTL_SECONDS);
      await client.put(`leased/${i}`, 'x', { lease: id });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

console.log(`${leases} leases`.padEnd(24) + '   p50 ms   p99 ms   max ms     puts');
await puts(500);
row('puts, nothing else', await puts(NORMAL_MS));
const beganMs = performance.now();
await grantAll();
const grantedMs = performance.now() - beganMs;
console.log(`granted and attached in ${grantedMs.toFixed(0)} ms`);
const untilFirstMs = TTL_SECONDS * 1000 - grantedMs - 250;
row('puts, leases waiting', await puts(Math.max(500, untilFirstMs)));
row('puts, leases ending', await puts(EXPIRY_MS));
await node.stop();
