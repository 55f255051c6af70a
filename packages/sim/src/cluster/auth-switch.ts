/**
 * Turns authentication on and off as an operator does (A5). In between only root and the tenants may do anything, and what
 * the tenants may changes all the while.
 */
import type { Env } from '@etcd-ts/server';
import { type AuthRequest, makeTenant, TENANTS } from './tenants.ts';
import type { RequestOf, UnaryMethodName } from '@etcd-ts/protocol';

const ROOT = 'root';
const PASSWORD = 'secret';

/** Who may do anything while it is on. */
export const ROOT_CREDENTIALS: { readonly name: string; readonly password: string } = {
  name: ROOT,
  password: PASSWORD,
};

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

/** What an operator works with. */
export interface AuthSwitchParts {
  readonly insist: Insist;
  /** What he changes next about the tenants. */
  readonly change: () => AuthRequest;
  /** The time between two changes. */
  readonly sleep: () => Promise<void>;
}

/** The switch. */
export class AuthSwitch {
  readonly #parts: AuthSwitchParts;
  /** How often it is to be on; overlapping wishes count. */
  #wishes = 0;
  #isOn = false;
  #last: Promise<void> = Promise.resolve();
  /** Changes about the tenants, while it is on. */
  #churning: Promise<void> = Promise.resolve();

  constructor(parts: AuthSwitchParts) {
    this.#parts = parts;
  }

  enable(): Promise<void> {
    this.#wishes++;
    return this.#then(async () => {
      if (this.#wishes === 0 || this.#isOn) return;
      this.#isOn = true;
      const options = { noPassword: false };
      const user = { ...ROOT_CREDENTIALS, hashedPassword: '', options };
      await this.#parts.insist('etcdserverpb.Auth/UserAdd', user);
      await this.#parts.insist('etcdserverpb.Auth/RoleAdd', { name: ROOT });
      await this.#parts.insist('etcdserverpb.Auth/UserGrantRole', { user: ROOT, role: ROOT });
      for (let number = 0; number < TENANTS; number++) {
        for (const [method, request] of makeTenant(number))
          await this.#parts.insist(method, request);
      }
      await this.#parts.insist('etcdserverpb.Auth/AuthEnable', {});
      this.#churning = this.#churn();
    });
  }

  disable(): Promise<void> {
    this.#wishes--;
    return this.#then(async () => {
      if (this.#wishes > 0 || !this.#isOn) return;
      this.#isOn = false;
      await this.#churning;
      await this.#turnOff();
    });
  }

  /** For when a command to turn it on came later than the one to turn it off. */
  makeSureItIsOff(): Promise<void> {
    return this.#then(() => this.#turnOff());
  }

  /** The same, unless it is to be on. */
  async turnOffUnlessWished(): Promise<void> {
    if (this.#wishes === 0) await this.makeSureItIsOff();
  }

  /** Rights and passwords come and go. */
  async #churn(): Promise<void> {
    while (this.#isOn && this.#wishes > 0) {
      const metadata = await this.#logIn();
      if (metadata === undefined) return;
      const [method, request] = this.#parts.change();
      await this.#parts.insist(method, request, metadata);
      await this.#parts.sleep();
    }
  }

  /** Undefined: it is off. */
  async #logIn(): Promise<ReadonlyMap<string, string> | undefined> {
    const answer = await this.#parts.insist('etcdserverpb.Auth/Authenticate', ROOT_CREDENTIALS);
    if (answer === undefined) return undefined;
    const { token } = answer as { readonly token: string };
    return new Map([['token', token]]);
  }

  async #turnOff(): Promise<void> {
    for (;;) {
      const metadata = await this.#logIn();
      // Refused: it is off already.
      if (metadata === undefined) return;
      // A token is known to few; another member may refuse it.
      const done = await this.#parts.insist('etcdserverpb.Auth/AuthDisable', {}, metadata);
      if (done !== undefined) return;
    }
  }

  #then(next: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(next);
    return this.#last;
  }
}
