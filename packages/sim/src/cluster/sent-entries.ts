/** The entries that leaders sent (R4): one of an index and a term has one content, and one entry before it. */
import type { Entry, Message } from '@etcd-ts/raft';
import { contentHash } from '../checkers/content.ts';
import { hashBytes } from '../world/random.ts';

interface SentEntry {
  /** The object that was sent last. */
  entry: Entry;
  readonly hash: number;
  /** Of the entry before it: all before is the same then. */
  readonly prevTerm: number;
}

/** Every entry that was sent in a cluster. */
export class SentEntries {
  readonly #complain: (message: string) => void;
  /** By index: one for each term. */
  readonly #sent: SentEntry[][] = [];

  /** @param complain Told of what breaks R4. */
  constructor(complain: (message: string) => void) {
    this.#complain = complain;
  }

  /** A member sends entries. */
  sent({ prevTerm, entries }: Extract<Message, { type: 'append' }>): void {
    let before = prevTerm;
    for (const entry of entries) {
      this.#match(entry, before);
      before = entry.term;
    }
  }

  /** @param prevTerm Of the entry before it in the log of whoever sends it. */
  #match(entry: Entry, prevTerm: number): void {
    const { index, term } = entry;
    while (this.#sent.length <= index) this.#sent.push([]);
    const sent = this.#sent[index] as SentEntry[];
    const known = sent.find((each) => each.entry.term === term);
    if (known !== undefined && known.prevTerm !== prevTerm) {
      this.#complain(
        `entry ${index} of term ${term} was sent behind one of term ${known.prevTerm} and behind one of term ${prevTerm}`,
      );
    }
    // The same object as last time: who sends it to several peers, or passes it on, has not looked at its bytes.
    if (known?.entry === entry) return;
    const hash = hashOfPayload(entry);
    if (known === undefined) sent.push({ entry, hash, prevTerm });
    else if (known.hash === hash) known.entry = entry;
    else this.#complain(`entry ${index} of term ${term} was sent with two contents`);
  }
}

function hashOfPayload({ payload }: Entry): number {
  if (payload.kind === 'command') return hashBytes(payload.data);
  return payload.kind === 'config' ? contentHash(payload.change) : 0;
}
