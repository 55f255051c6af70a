/** How users show who they are. */
import { BCRYPT_COST_MAX, BCRYPT_COST_MIN, DEFAULT_BCRYPT_COST } from '../auth/password-hasher.ts';
import { parseTokenOption } from '../auth/token-option.ts';
import { type Range, resolveNumbers } from './numbers.ts';

/** Tokens and passwords. */
export interface AuthOptions {
  /**
   * Kind of token: `simple`, or `jwt,sign-method=…,pub-key=…,priv-key=…,ttl=…`. All members must be told the same.
   * etcd --auth-token. @defaultValue 'simple'
   */
  readonly authToken?: string;
  /** How long an unused simple token is good. etcd --auth-token-ttl. @defaultValue 300 */
  readonly authTokenTtlSeconds?: number;
  /** Work that hashing a password takes, from 4 to 31; one more doubles it. etcd --bcrypt-cost. @defaultValue 10 */
  readonly bcryptCost?: number;
}

const NUMBERS = {
  authTokenTtlSeconds: [300, 1, 1_000_000_000],
  bcryptCost: [DEFAULT_BCRYPT_COST, BCRYPT_COST_MIN, BCRYPT_COST_MAX],
} as const satisfies Record<string, Range>;

/** Completes and checks; files of keys are read when the node starts. @throws StartError BAD_OPTION. */
export function resolveAuth(given: AuthOptions): Required<AuthOptions> {
  const authToken = given.authToken ?? 'simple';
  parseTokenOption(authToken);
  return { authToken, ...resolveNumbers(given, NUMBERS) };
}
