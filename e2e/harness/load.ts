/**
 * Clients that write and read through every member while members come and go, and the ledger of what they were told.
 */
import { EtcdError, type EtcdClient } from '@etcd-ts/client';
import { connect } from '@etcd-ts/client/node';
import type { Member } from './member.ts';

/** How long one request may take before its client gives up on it. */
const REQUEST_LIMIT_MS = 2_000;

/** A write that was answered with OK. */
export interface Acknowledged {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

/** What the clients were told, and what they saw wrong. */
export interface Ledger {
  readonly acknowledged: readonly Acknowledged[];
  /** Writes whose outcome is not known: they may be there or not. */
  readonly unknown: readonly string[];
  readonly reads: number;
  /** Answers that break a guarantee, in words. */
  readonly violations: readonly string[];
}

/** Writers with unique keys and linearizable readers, each bound to one member. */
export class Load {
  readonly #clients: EtcdClient[];
  readonly #acknowledged: Acknowledged[] = [];
  readonly #unknown: string[] = [];
  readonly #violations: string[] = [];
  readonly #running: Promise<void>[] = [];
  #reads = 0;
  /** Greatest revision that any client was told so far. */
  #seenRevision = 0;
  #stopping = false;

  constructor(members: readonly Member[], clientsPerMember: { writers: number; readers: number }) {
    this.#clients = members.map(({ endpoint }) =>
      connect({ endpoints: [endpoint], timeoutMs: REQUEST_LIMIT_MS }),
    );
    this.#clients.forEach((client, member) => {
      for (let i = 0; i < clientsPerMember.writers; i++) {
        this.#running.push(this.#write(client, `w${member + 1}.${i}`));
      }
      for (let i = 0; i < clientsPerMember.readers; i++) {
        this.#running.push(this.#read(client, `r${member + 1}.${i}`));
      }
    });
  }

  /** Writes acknowledged so far. */
  get acknowledgedCount(): number {
    return this.#acknowledged.length;
  }

  /** Lets every client finish its request, and gives what they were told. */
  async stop(): Promise<Ledger> {
    this.#stopping = true;
    await Promise.all(this.#running);
    await Promise.all(this.#clients.map((client) => client.close()));
    return {
      acknowledged: this.#acknowledged,
      unknown: this.#unknown,
      reads: this.#reads,
      violations: this.#violations,
    };
  }

  async #write(client: EtcdClient, writer: string): Promise<void> {
    for (let n = 0; !this.#stopping; n++) {
      const key = `load/${writer}/${n}`;
      const value = `${writer}:${n}`;
      const floor = this.#seenRevision;
      try {
        const { revision } = await client.put(key, value);
        this.#acknowledged.push({ key, value, revision });
        if (revision <= floor)
          this.#violation(`${key} got revision ${revision}, after ${floor} was seen`);
        this.#saw(revision);
      } catch (error) {
        await this.#failed(error, () => this.#unknown.push(key));
      }
    }
  }

  async #read(client: EtcdClient, reader: string): Promise<void> {
    while (!this.#stopping) {
      const floor = this.#seenRevision;
      const target = this.#acknowledged.at(-1);
      try {
        const { entries, revision } = await client.getAll(target?.key ?? 'load/none');
        this.#reads += 1;
        if (revision < floor)
          this.#violation(`${reader} read at ${revision}, after ${floor} was seen`);
        if (target !== undefined && entries[0]?.modRevision !== target.revision) {
          this.#violation(`${reader} does not find ${target.key} of revision ${target.revision}`);
        }
        this.#saw(revision);
      } catch (error) {
        await this.#failed(error, () => undefined);
      }
    }
  }

  #saw(revision: number): void {
    this.#seenRevision = Math.max(this.#seenRevision, revision);
  }

  #violation(what: string): void {
    this.#violations.push(what);
  }

  /** A member that is down refuses at once: give it a moment, lest the loop spins. */
  async #failed(error: unknown, onUnknown: () => void): Promise<void> {
    if (!EtcdError.is(error)) throw error;
    if (error.mayHaveApplied) onUnknown();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
