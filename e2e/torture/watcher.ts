import { EtcdError } from '@etcd-ts/client';
import { connect } from '@etcd-ts/client/node';
import type { Member } from '../harness/member.ts';

/** One watcher of everything from the beginning, through whatever members are there. */
export class FullHistory {
  readonly #client: ReturnType<typeof connect>;
  readonly #done: Promise<void>;
  readonly #violations: string[] = [];
  /** Revision of the newest event. */
  #revision = 1;
  #awaited: { readonly revision: number; readonly resolve: () => void } | undefined;

  constructor(members: readonly Member[], prefix: string) {
    this.#client = connect({ endpoints: members.map((member) => member.endpoint) });
    this.#done = this.#follow(prefix);
  }

  /** Waits until the event of a revision has come; gives what was wrong with the events up to it. */
  async through(revision: number): Promise<readonly string[]> {
    if (this.#revision < revision) {
      await new Promise<void>((resolve) => (this.#awaited = { revision, resolve }));
    }
    await this.#client.close();
    await this.#done;
    return this.#violations;
  }

  async #follow(prefix: string): Promise<void> {
    try {
      for await (const event of this.#client.watch({ prefix }, { startRevision: 1 })) {
        const { modRevision, keyText } = event.entry;
        if (modRevision !== this.#revision + 1) {
          this.#violations.push(`watcher: ${keyText} at ${modRevision} after ${this.#revision}`);
        }
        this.#revision = modRevision;
        if (modRevision >= (this.#awaited?.revision ?? Infinity)) this.#awaited?.resolve();
      }
    } catch (error) {
      if (!EtcdError.is(error) || error.code !== 'CANCELED') throw error;
    }
  }
}
