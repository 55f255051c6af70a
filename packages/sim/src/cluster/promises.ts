/**
 * What members promised one another, held against what their disks hold when they come back (R2, DK1): an acknowledged
 * entry, a granted vote and an applied entry outlive every crash.
 *
 * By machine, not by process: a promise is kept by the disk.
 */
import type { Message } from '@etcd-ts/raft';
import type { RecoveredLog } from '@etcd-ts/wal';
import type { Findings } from '../checkers/violation.ts';

interface Promised {
  /** The newest grant. */
  vote?: { readonly term: number; readonly to: bigint };
  /** The furthest entry acknowledged to the leader of the newest term. */
  ack?: { readonly term: number; readonly index: number };
  /** The last entry applied: committed, and durable here. */
  applied: number;
}

/** The promises of all machines of a cluster, by number. */
export class Promises {
  readonly #findings: Findings;
  readonly #nowUs: () => number;
  readonly #promised = new Map<number, Promised>();

  constructor(findings: Findings, nowUs: () => number) {
    this.#findings = findings;
    this.#nowUs = nowUs;
  }

  /** A message leaves a machine, and with it a promise. */
  sent(machine: number, message: Message): void {
    if (message.type === 'voteResponse' && !message.rejected) {
      const { term, to } = message;
      const promised = this.#of(machine);
      if (term >= (promised.vote?.term ?? 0)) promised.vote = { term, to };
    }
    if (message.type === 'appendResponse' && !message.rejected) {
      const { term, index } = message;
      const promised = this.#of(machine);
      const before = promised.ack;
      if (before === undefined || term > before.term) promised.ack = { term, index };
      else if (term === before.term && index > before.index) promised.ack = { term, index };
    }
  }

  applied(machine: number, index: number): void {
    const promised = this.#of(machine);
    if (index > promised.applied) promised.applied = index;
  }

  /** The machine got an empty disk; what it promised was another member's word. */
  forget(machine: number): void {
    this.#promised.delete(machine);
  }

  /** A machine comes back with this log; undefined: with none. */
  check(machine: number, log: RecoveredLog | undefined): void {
    const promised = this.#promised.get(machine);
    if (promised === undefined) return;
    const { vote, ack, applied } = promised;
    const add = (invariant: 'R2' | 'DK1', what: string): void =>
      this.#findings.add(invariant, `member ${machine} ${what}`, [], this.#nowUs());
    const term = log?.hardState.term ?? 0;
    if (vote !== undefined) {
      const isKept = term > vote.term || (term === vote.term && log?.hardState.vote === vote.to);
      if (!isKept) {
        add(
          'R2',
          `granted term ${vote.term} to ${vote.to}, but its disk holds term ${term} and vote ${log?.hardState.vote}`,
        );
      }
    }
    const last = log?.entries.at(-1) ?? log?.snapshot ?? { index: 0, term: 0 };
    // A newer leader may have taken the place of what was acknowledged and never committed.
    if (ack !== undefined && last.index < ack.index && last.term <= ack.term) {
      add(
        'DK1',
        `acknowledged entry ${ack.index} in term ${ack.term}, but its log ends at ${last.index} of term ${last.term}`,
      );
    }
    if (last.index < applied) {
      add('DK1', `applied entry ${applied}, but its log ends at ${last.index}`);
    }
  }

  #of(machine: number): Promised {
    let promised = this.#promised.get(machine);
    if (promised === undefined) {
      promised = { applied: 0 };
      this.#promised.set(machine, promised);
    }
    return promised;
  }
}
