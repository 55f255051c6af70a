import { EtcdError } from '@etcd-ts/protocol';
import { describe, expect, it } from 'vitest';
import { type ServiceContext, simulate, SimulationError } from '../src/index.ts';
import { compare, op } from '@etcd-ts/client';

/** A service that does each of some jobs once: whoever makes the claim's key owns the job. */
async function worker(
  { client, name, sleep }: ServiceContext,
  ran: string[],
  looksFirst: boolean,
): Promise<void> {
  for (let job = 0; job < 5; job++) {
    const key = `claims/${job}`;
    await sleep(100);
    try {
      if (looksFirst) {
        // The planted bug: another worker may claim between the look and the claim.
        if ((await client.get(key)) !== undefined) continue;
        await client.put(key, name);
      } else {
        const claim = client.txn().if(compare.missing(key)).do(op.put(key, name));
        if (!(await claim.commit()).succeeded) continue;
      }
      ran.push(`job ${job}`);
    } catch (error) {
      if (!EtcdError.is(error)) throw error;
    }
  }
}

const runWorkers = (seed: number, looksFirst: boolean): Promise<void> =>
  simulate({ seed, faults: 'network', durationMs: 4_000 }, async (cluster) => {
    const ran: string[] = [];
    const workers = ['a', 'b', 'c'].map((name) =>
      cluster.service(name, (context) => worker(context, ran, looksFirst)),
    );
    await Promise.all(workers.map((each) => each.done));
    const twice = ran.filter((job, i) => ran.indexOf(job) !== i);
    if (twice.length > 0) throw new Error(`ran twice: ${twice.join()}`);
  });

describe('simulate', { timeout: 120_000 }, () => {
  it('gives a scenario a cluster that works', async () => {
    const value = await simulate({ seed: 1, durationMs: 2_000 }, async (cluster) => {
      const client = cluster.client();
      await client.put('greeting', 'hello');
      return (await client.get('greeting'))?.text;
    });
    expect(value).toBe('hello');
  });

  it('runs the same way again for the same seed', async () => {
    const run = (seed: number): Promise<number[]> =>
      simulate({ seed, faults: 'crash', durationMs: 5_000 }, async (cluster) => {
        const client = cluster.client();
        const times: number[] = [];
        for (let i = 0; i < 10; i++) {
          await client.put('key', `${i}`).catch((error: unknown) => {
            if (!EtcdError.is(error)) throw error;
          });
          times.push(cluster.nowMs);
        }
        return times;
      });
    expect(await run(3)).toEqual(await run(3));
    expect(await run(3)).not.toEqual(await run(4));
  });

  it('names the seed when a scenario fails', async () => {
    const failing = simulate({ seed: 77, durationMs: 100 }, async () => {
      throw new Error('planted');
    });
    await expect(failing).rejects.toThrow(SimulationError);
    await expect(failing).rejects.toThrow('seed 77: planted');
  });

  it('survives the death of every member in turn', async () => {
    await simulate({ seed: 5, durationMs: 1_000 }, async (cluster) => {
      const client = cluster.client();
      for (const member of cluster.members) {
        await client.put('victim', `${member.number}`);
        member.losePower();
        await cluster.sleep(1_500);
        expect((await client.get('victim'))?.text).toBe(`${member.number}`);
        member.start();
        await cluster.sleep(1_500);
      }
    });
  });

  it('finds the bug of a service, and none in the service without it', async () => {
    const failures: number[] = [];
    for (let seed = 0; seed < 5; seed++) {
      await runWorkers(seed, false);
      await runWorkers(seed, true).catch((error: unknown) => {
        if (error instanceof SimulationError && error.message.includes('ran twice'))
          failures.push(seed);
        else throw error;
      });
    }
    expect(failures.length).toBeGreaterThan(0);
  });

  it('refuses a number of members that it cannot simulate, by its value', async () => {
    await expect(simulate({ members: 8 }, async () => undefined)).rejects.toThrow('is 8');
  });
});
