/**
 * npm run bench -- leases [LEASES [CALLERS]]: what puts take while many leases end at once, against what they take
 * otherwise; for 1 caller and for 100, or for so many.
 *
 * A member alone, in process, on disk. It is started again after the leases were granted, one key each, so that all of
 * them end in the same millisecond: a new leader gives them their time anew. Callers put one after the other; beside the
 * expiry are those puts between whose revisions there are others.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdNode } from '@etcd-ts/server';
import { head, putsUntil, row, type Sample } from './beside/latency.ts';

const leases = Number(process.argv[2] ?? 10_000);
const TTL_SECONDS = 12;
/** Grants that are under way at a time. */
const LANES = 64;
/** After the start, before puts are counted. */
const WARM_UP_MS = 2_000;
/** After the leases' time, in which all of them end. */
const EXPIRY_MS = 30_000;

async function grantAll(node: EtcdNode): Promise<void> {
  const client = node.client();
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < leases; i = next++) {
      const { id } = await client.lease.grant(TTL_SECONDS);
      await client.put(`leased/${i}`, 'x', { lease: id });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** The place of the first and the last put that another revision came before, in the order of revisions. */
function expiry(samples: readonly Sample[]): { first: number; last: number } {
  let first = 0;
  let last = 0;
  for (let i = 1; i < samples.length; i++) {
    if ((samples[i]?.revision ?? 0) === (samples[i - 1]?.revision ?? 0) + 1) continue;
    if (first === 0) first = i;
    last = i;
  }
  return { first, last };
}

async function measure(callers: number): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'etcd-ts-bench-'));
  const before = await EtcdNode.start({ dataDir });
  await grantAll(before);
  await before.stop();
  const node = await EtcdNode.start({ dataDir });
  const startedMs = performance.now();
  const isOver = (): boolean => performance.now() - startedMs > TTL_SECONDS * 1000 + EXPIRY_MS;
  const samples = await putsUntil(node.client(), callers, isOver);
  samples.sort((a, b) => a.revision - b.revision);
  const { first, last } = expiry(samples);
  const normal = samples.slice(0, first).filter(({ beganMs }) => beganMs > startedMs + WARM_UP_MS);
  const beside = samples.slice(first, last + 1);
  const others = (samples[last]?.revision ?? 0) - (samples[first - 1]?.revision ?? 0);
  if (others !== leases + beside.length) throw new Error(`${others - beside.length} leases ended`);
  const tookMs = Math.round((samples[last]?.beganMs ?? 0) - (samples[first]?.beganMs ?? 0));
  row(`${callers} callers, the leases waiting`, normal);
  row(`${callers} callers, the leases ending in ${tookMs} ms`, beside, normal);
  await node.stop();
  rmSync(dataDir, { recursive: true, force: true });
}

head(`${leases} leases`);
const wanted = process.argv[3];
for (const callers of wanted === undefined ? [1, 100] : [Number(wanted)]) await measure(callers);
