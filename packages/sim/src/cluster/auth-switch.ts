/** Turns authentication on and off as an operator does (A5): nobody but root may do anything in between. */
import type { Env } from '@etcd-ts/server';
import type { RequestOf, UnaryMethodName } from '@etcd-ts/protocol';

const ROOT = 'root';
const PASSWORD = 'secret';

/** Asks until it is done; gives up on a refusal that says that it is done already. */
export type Insist = <Method extends UnaryMethodName>(
  method: Method,
  request: RequestOf<Method>,
  metadata?: ReadonlyMap<string, string>,
) => Promise<unknown>;

/** A hasher whose time is not that of bcrypt; nothing else of it matters to a cluster. */
export const PLAIN_HASHER: NonNullable<Env['hasher']> = {
  hash: (password) => Promise.resolve(`$2a$04$${password}`),
  matches: (password, hash) => Promise.resolve(hash === `$2a$04$${password}`),
  close: () => Promise.resolve(),
};

/** The switch. */
export class AuthSwitch {
  readonly #insist: Insist;
  /** How often it is to be on; overlapping wishes count. */
  #wishes = 0;
  #isOn = false;
  #last: Promise<void> = Promise.resolve();

  constructor(insist: Insist) {
    this.#insist = insist;
  }

  enable(): Promise<void> {
    this.#wishes++;
    return this.#then(async () => {
      if (this.#wishes === 0 || this.#isOn) return;
      this.#isOn = true;
      const options = { noPassword: false };
      const user = { name: ROOT, password: PASSWORD, hashedPassword: '', options };
      await this.#insist('etcdserverpb.Auth/UserAdd', user);
      await this.#insist('etcdserverpb.Auth/RoleAdd', { name: ROOT });
      await this.#insist('etcdserverpb.Auth/UserGrantRole', { user: ROOT, role: ROOT });
      await this.#insist('etcdserverpb.Auth/AuthEnable', {});
    });
  }

  disable(): Promise<void> {
    this.#wishes--;
    return this.#then(async () => {
      if (this.#wishes > 0 || !this.#isOn) return;
      this.#isOn = false;
      await this.#turnOff();
    });
  }

  /** For when a command to turn it on came later than the one to turn it off. */
  makeSureItIsOff(): Promise<void> {
    return this.#then(() => this.#turnOff());
  }

  async #turnOff(): Promise<void> {
    const credentials = { name: ROOT, password: PASSWORD };
    for (;;) {
      const answer = await this.#insist('etcdserverpb.Auth/Authenticate', credentials);
      // Refused: it is off already.
      if (answer === undefined) return;
      const { token } = answer as { readonly token: string };
      const metadata = new Map([['token', token]]);
      // A token is known to few; another member may refuse it.
      const done = await this.#insist('etcdserverpb.Auth/AuthDisable', {}, metadata);
      if (done !== undefined) return;
    }
  }

  #then(next: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(next);
    return this.#last;
  }
}
