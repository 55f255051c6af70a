/** What puts through a member take, one after the other, with or without other work beside them. */
import type { EtcdClient } from '@etcd-ts/client';

/** Durations in milliseconds, sorted. */
export type Latencies = readonly number[];

/** Keys that the puts go to. */
const KEYS = 1_000;
const VALUE: Uint8Array = Buffer.alloc(128, 0x76);

/** Puts of so many callers, each one after the other, until `isOver`. */
export async function putsUntil(
  client: EtcdClient,
  callers: number,
  isOver: () => boolean,
): Promise<Latencies> {
  const taken: number[] = [];
  let next = 0;
  const caller = async (): Promise<void> => {
    while (!isOver()) {
      const beganMs = performance.now();
      await client.put(`busy/${next++ % KEYS}`, VALUE);
      taken.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return taken.sort((a, b) => a - b);
}

/** Puts for so long. */
export function putsFor(
  client: EtcdClient,
  callers: number,
  durationMs: number,
): Promise<Latencies> {
  const endMs = performance.now() + durationMs;
  return putsUntil(client, callers, () => performance.now() >= endMs);
}

/** Puts while the work goes on. */
export async function putsDuring(
  client: EtcdClient,
  callers: number,
  work: Promise<unknown>,
): Promise<Latencies> {
  let isDone = false;
  void work.finally(() => (isDone = true));
  const taken = await putsUntil(client, callers, () => isDone);
  await work;
  return taken;
}

/** The value below which this share of all lies. */
export function quantile(sorted: Latencies, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The head of a table of {@link row}s. */
export function head(title: string): void {
  console.log(`${title.padEnd(44)}   p50 ms   p99 ms   max ms     puts   p99 ratio`);
}

/** One row: quantiles, and how the p99 stands to the normal one. */
export function row(name: string, taken: Latencies, normal?: Latencies): void {
  const ms = (share: number): string => quantile(taken, share).toFixed(3).padStart(9);
  const ratio =
    normal === undefined ? '' : (quantile(taken, 0.99) / quantile(normal, 0.99)).toFixed(2);
  const count = String(taken.length).padStart(9);
  console.log(`${name.padEnd(44)}${ms(0.5)}${ms(0.99)}${ms(1)}${count}${ratio.padStart(12)}`);
}
