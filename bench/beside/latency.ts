/** What puts through a member take, one after the other, with or without other work beside them. */
import type { EtcdClient } from '@etcd-ts/client';

/** One put. */
export interface Sample {
  /** When it was asked for, by `performance.now()`. */
  readonly beganMs: number;
  readonly tookMs: number;
  /** The revision that it made. */
  readonly revision: number;
}

/** Keys that the puts go to. */
const KEYS = 1_000;
const VALUE: Uint8Array = Buffer.alloc(128, 0x76);

/** Puts of so many callers, each one after the other, until `isOver`. */
export async function putsUntil(
  client: EtcdClient,
  callers: number,
  isOver: () => boolean,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  let next = 0;
  const caller = async (): Promise<void> => {
    while (!isOver()) {
      const beganMs = performance.now();
      const { revision } = await client.put(`busy/${next++ % KEYS}`, VALUE);
      samples.push({ beganMs, tookMs: performance.now() - beganMs, revision });
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return samples;
}

/** Puts for so long. */
export function putsFor(
  client: EtcdClient,
  callers: number,
  durationMs: number,
): Promise<Sample[]> {
  const endMs = performance.now() + durationMs;
  return putsUntil(client, callers, () => performance.now() >= endMs);
}

/** Puts while the work goes on. */
export async function putsDuring(
  client: EtcdClient,
  callers: number,
  work: Promise<unknown>,
): Promise<Sample[]> {
  let isDone = false;
  void work.finally(() => (isDone = true));
  const samples = await putsUntil(client, callers, () => isDone);
  await work;
  return samples;
}

/** The head of a table of {@link row}s. */
export function head(title: string): void {
  console.log(`${title.padEnd(52)}   p50 ms   p99 ms   max ms     puts   p99 ratio`);
}

/** One row: quantiles, and how the p99 stands to the normal one. */
export function row(name: string, samples: readonly Sample[], normal?: readonly Sample[]): void {
  const taken = sorted(samples);
  const ms = (share: number): string => quantile(taken, share).toFixed(3).padStart(9);
  const ratio =
    normal === undefined ? '' : (quantile(taken, 0.99) / quantile(sorted(normal), 0.99)).toFixed(2);
  const count = String(taken.length).padStart(9);
  console.log(`${name.padEnd(52)}${ms(0.5)}${ms(0.99)}${ms(1)}${count}${ratio.padStart(12)}`);
}

function sorted(samples: readonly Sample[]): readonly number[] {
  return samples.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
}

/** The value below which this share of all lies. */
function quantile(taken: readonly number[], share: number): number {
  return taken[Math.min(taken.length - 1, Math.floor(taken.length * share))] ?? Number.NaN;
}
