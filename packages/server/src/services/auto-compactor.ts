/** Compacts by itself as its schedule says, while this member leads. */
import { CompactionRequest, EtcdError } from '@etcd-ts/protocol';
import { THE_MEMBER } from '../apply/command.ts';
import type { Timer } from '../clock.ts';
import { type Schedule, scheduleOf } from '../compaction/auto-compaction.ts';
import { formatDuration } from '../go-values.ts';
import type { NodePort } from '../node-port.ts';
import type { Retention } from '../options/compaction-options.ts';

/** No timer can be set for longer, in milliseconds; a sample that is further away is waited for in parts. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** Samples the revision, and proposes compactions. */
export class AutoCompactor {
  readonly #node: NodePort;
  readonly #schedule: Schedule;
  readonly #retention: Retention;
  #timer: Timer | undefined;
  #isStopped = false;

  /** Begins at once. */
  constructor(node: NodePort, retention: Retention) {
    this.#node = node;
    this.#retention = retention;
    this.#schedule = scheduleOf(retention, node.clock.monotonicMs());
    this.#sample();
  }

  /** Ends: nothing is proposed any more. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #sample(): void {
    const { clock, state } = this.#node;
    const nowMs = clock.monotonicMs();
    const revision = this.#schedule.sample({
      nowMs,
      revision: state.store.revision,
      isLeader: this.#node.status().isLeader,
    });
    const waitMs = Math.min(Math.ceil(this.#schedule.sampleIntervalMs), MAX_WAIT_MS);
    this.#timer = clock.after(Math.max(1, waitMs), () => this.#sample());
    if (revision !== undefined) void this.#compact(revision);
  }

  /** Never rejects: what failed is asked for again at the next sample. */
  async #compact(revision: number): Promise<void> {
    const { clock, log } = this.#node;
    const { mode } = this.#retention;
    const beganMs = clock.monotonicMs();
    const fields = { revision, ...this.#shown() };
    log.info(`starting auto ${mode} compaction`, fields);
    try {
      await this.#node.propose({
        kind: 'compact',
        caller: THE_MEMBER,
        request: CompactionRequest.fromPartial({ revision, physical: false }),
      });
    } catch (error) {
      if (this.#isStopped) return;
      if (!EtcdError.is(error) || error.code !== 'COMPACTED') {
        log.warn(`failed auto ${mode} compaction`, { ...fields, error });
        return;
      }
    }
    const nowMs = clock.monotonicMs();
    this.#schedule.done(revision, nowMs);
    log.info(`completed auto ${mode} compaction`, {
      ...fields,
      took: formatDuration(nowMs - beganMs),
    });
  }

  #shown(): Readonly<Record<string, unknown>> {
    return this.#retention.mode === 'periodic'
      ? { 'compact-period': formatDuration(this.#retention.periodMs) }
      : { 'revision-compaction-retention': this.#retention.revisions };
  }
}
