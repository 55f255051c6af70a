/**
 * What members promised one another, held against what their disks hold when they come back (R2, DK1): an acknowledged
 * entry, a granted vote and an applied entry outlive every crash.
 *
 * By machine, not by process: a promise is kept by the disk.
 */
import { readApplied } from '@etcd-ts/mvcc';
import type { Message } from '@etcd-ts/raft';
import type { RecoveredLog } from '@etcd-ts/wal';
import type { Findings } from '../checkers/violation.ts';
import type { DatabasesImage } from '../disk/sim-backends.ts';

interface Promised {
  /** The newest grant. */
  vote?: { readonly term: number; readonly to: bigint };
  /** The furthest entry acknowledged to the leader of the newest term; `entryTerm`: its own, as far as is known. */
  ack?: { readonly term: number; readonly index: number; readonly entryTerm: number | undefined };
  /** The last entry applied: committed, and durable here. */
  applied: number;
  /** The newest mark of its log when its database was last allowed to be gone. */
  forgivenMark?: number;
}

/** What the rest of the cluster tells of a log. */
export interface KnownLog {
  /** Term of the committed entry at an index; undefined when nobody has applied it. */
  readonly committedTerm: (index: number) => number | undefined;
  /** Whether anybody led in a term after the one, and not after the other: nobody else takes entries away. */
  readonly hasLeaderBetween: (after: number, through: number) => boolean;
}

/** The promises of all machines of a cluster, by number. */
export class Promises {
  readonly #findings: Findings;
  readonly #nowUs: () => number;
  readonly #known: KnownLog;
  readonly #promised = new Map<number, Promised>();

  constructor(findings: Findings, nowUs: () => number, known: KnownLog) {
    this.#findings = findings;
    this.#nowUs = nowUs;
    this.#known = known;
  }

  /** A message leaves a machine, and with it a promise. `entryTerm`: of the entry that it acknowledges, if known. */
  sent(machine: number, message: Message, entryTerm?: number): void {
    // Whoever stands has voted for itself, and must not come back as if it had not.
    const isGrant = message.type === 'voteResponse' && !message.rejected;
    if (isGrant || message.type === 'vote') {
      const { term } = message;
      const to = isGrant ? message.to : message.from;
      const promised = this.#of(machine);
      if (term >= (promised.vote?.term ?? 0)) promised.vote = { term, to };
    }
    if (message.type === 'appendResponse' && !message.rejected) {
      const { term, index } = message;
      const promised = this.#of(machine);
      const before = promised.ack;
      const isFurther = term === before?.term && index > before.index;
      if (before === undefined || term > before.term || isFurther) {
        promised.ack = { term, index, entryTerm };
      }
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
    // A newer leader of which its disk knows may have taken the place of what was never committed.
    if (ack !== undefined && !this.#known.hasLeaderBetween(ack.term, term)) {
      const held = termIn(log, ack.index);
      if (last.index < ack.index) {
        add(
          'DK1',
          `acknowledged entry ${ack.index} in term ${ack.term}, but its log ends at ${last.index} of term ${last.term}`,
        );
      } else if (held !== undefined && ack.entryTerm !== undefined && held !== ack.entryTerm) {
        add(
          'DK1',
          `acknowledged entry ${ack.index} of term ${ack.entryTerm} in term ${ack.term}, but its log has one of term ${held} there`,
        );
      }
    }
    for (const entry of log?.entries ?? []) {
      const committed = entry.index <= applied ? this.#known.committedTerm(entry.index) : undefined;
      if (committed === undefined || committed === entry.term) continue;
      add(
        'DK1',
        `applied entry ${entry.index} of term ${committed}, but its log has one of term ${entry.term} there`,
      );
      break;
    }
    if (last.index < applied) {
      add('DK1', `applied entry ${applied}, but its log ends at ${last.index}`);
    }
  }

  /**
   * A machine comes back with this log while its database may be gone: it may be made anew from an older mark, and not be
   * past the newest one when the machine comes back the next time.
   */
  forgiveDatabase(machine: number, log: RecoveredLog | undefined): void {
    this.#of(machine).forgivenMark = log?.snapshot?.index ?? 0;
  }

  /** What a machine's log has let go, a database that it comes back with holds, and no more than the log does. */
  checkDatabase(
    machine: number,
    log: RecoveredLog | undefined,
    { databases }: DatabasesImage,
  ): void {
    const mark = log?.snapshot?.index ?? 0;
    if (mark <= (this.#promised.get(machine)?.forgivenMark ?? 0)) return;
    const lastIndex = log?.entries.at(-1)?.index ?? mark;
    const held = [...databases.values()].map((each) => readApplied(each)?.index ?? 0);
    if (held.some((index) => index >= mark && index <= lastIndex)) return;
    const what = `a log whose snapshot is of entry ${mark}, and with databases up to ${held.join(', ') || 'nothing'}`;
    this.#findings.add('DK1', `member ${machine} comes back with ${what}`, [], this.#nowUs());
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

/** Term of the entry at an index; undefined when a snapshot covers it, or the log does not go so far. */
function termIn(log: RecoveredLog | undefined, index: number): number | undefined {
  return log?.entries.find((each) => each.index === index)?.term;
}
