/**
 * A job scheduler: of several instances one leads, and starts each job that waits. `job-scheduler.test.ts` runs it against
 * a simulated cluster in which everything goes wrong that can.
 *
 * What always holds: no job is started twice, whoever believes to lead.
 */
import { compare, EtcdError, type EtcdClient, op } from '@etcd-ts/client';

const LEADER = 'scheduler/leader';
const JOBS = 'jobs/';
const LEASE_TTL_SECONDS = 2;

/** What a scheduler needs of its surroundings. */
export interface SchedulerOptions {
  readonly client: EtcdClient;
  /** Unique among the instances. */
  readonly name: string;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** Starts a job; called at most once for each, over all instances. */
  readonly start: (job: string) => void;
  /** Whether to trust that it still leads, in place of asking with each job. Wrong; for the test. */
  readonly trustsItself?: boolean;
}

interface Leadership {
  readonly lease: bigint;
  /** The leader's key was made at this revision; another leader's key is of another one. */
  readonly revision: number;
}

/** One instance. */
export class Scheduler {
  readonly #options: SchedulerOptions;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Works until every job was started. */
  async run(): Promise<void> {
    let leadership: Leadership | undefined;
    for (;;) {
      try {
        leadership ??= await this.#standForElection();
        if (leadership !== undefined) await this.#startWaiting(leadership);
        if (await this.#isDone()) return;
        if (leadership !== undefined)
          await this.#options.client.lease.keepAliveOnce(leadership.lease);
      } catch (error) {
        if (!EtcdError.is(error)) throw error;
        leadership = undefined;
      }
      await this.#options.sleep(200);
    }
  }

  /** Makes the leader's key, which goes with its lease; undefined when somebody else has it. */
  async #standForElection(): Promise<Leadership | undefined> {
    const { client, name } = this.#options;
    const { id: lease } = await client.lease.grant(LEASE_TTL_SECONDS);
    const { succeeded, revision } = await client
      .txn()
      .if(compare.missing(LEADER))
      .do(op.put(LEADER, name, { lease }))
      .commit();
    if (succeeded) return { lease, revision };
    await client.lease.revoke(lease);
    return undefined;
  }

  // #region fence
  async #startWaiting({ revision }: Leadership): Promise<void> {
    const { client, name, start, sleep, trustsItself = false } = this.#options;
    const { entries } = await client.getAll({ prefix: JOBS });
    for (const { key, text } of entries) {
      if (text !== 'waiting') continue;
      // Since it was elected this process may have slept for long, and another one may lead.
      const isLeader = trustsItself ? [] : [compare.createRevision(LEADER, '=', revision)];
      const { succeeded } = await client
        .txn()
        .if(...isLeader)
        .do(op.put(key, name))
        .commit();
      if (!succeeded) throw new EtcdError('NOT_LEADER');
      start(new TextDecoder().decode(key).slice(JOBS.length));
      await sleep(50);
    }
  }
  // #endregion

  async #isDone(): Promise<boolean> {
    const { entries } = await this.#options.client.getAll({ prefix: JOBS });
    return entries.every(({ text }) => text !== 'waiting');
  }
}
