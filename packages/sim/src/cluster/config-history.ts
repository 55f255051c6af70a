/**
 * The configurations that members go by. One is seen to change when a member's state applies the change; its core follows
 * in that turn, or in the next one, which comes at the same moment unless the process is paused in between.
 */
import type { ConfState } from '@etcd-ts/raft';

/** Configurations of a member that are remembered: messages under the last one may be on their way out. */
const MAX_CONFIGS = 3;

/** A change that a member's core may not have followed yet. */
interface Change {
  readonly atUs: number;
  /** When the member first sent something later than that: it may have been paused until then. */
  sentUs: number | undefined;
}

/** The configurations of all machines' members, by number. */
export class ConfigHistory {
  /** The newest at the end. */
  readonly #configs = new Map<number, readonly ConfState[]>();
  readonly #unsettled = new Map<number, Change>();

  /** A member's process begins with a configuration. */
  begin(member: number, config: ConfState): void {
    this.#configs.set(member, [config]);
    this.#unsettled.delete(member);
  }

  /** A member's state has this configuration. */
  observe(member: number, config: ConfState, nowUs: number): void {
    const configs = this.recent(member);
    if (configs.at(-1) === config) return;
    this.#configs.set(member, [...configs, config].slice(-MAX_CONFIGS));
    this.#unsettled.set(member, { atUs: nowUs, sentUs: undefined });
  }

  /** A member sends something. */
  sends(member: number, nowUs: number): void {
    const change = this.#unsettled.get(member);
    if (change === undefined || nowUs === change.atUs) return;
    change.sentUs ??= nowUs;
    if (nowUs > change.sentUs) this.#unsettled.delete(member);
  }

  /** Those that a member has gone by lately; empty when it is not known. */
  recent(member: number): readonly ConfState[] {
    return this.#configs.get(member) ?? [];
  }

  /** Those that a member's core may go by now. */
  inForce(member: number): readonly ConfState[] {
    const configs = this.recent(member);
    return this.#unsettled.has(member) ? configs : configs.slice(-1);
  }

  /** True while no member's core has to follow a change. */
  get isSettled(): boolean {
    return this.#unsettled.size === 0;
  }
}
