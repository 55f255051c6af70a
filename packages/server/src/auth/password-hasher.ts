/** Hashes passwords and compares them; slow by design, so never on the event loop. */
export interface PasswordHasher {
  /** A bcrypt hash (`$2a$…`) of the password's UTF-8 bytes, as text. */
  hash(password: string): Promise<string>;
  /** True when the password is the one that was hashed. False also for what is no bcrypt hash. */
  matches(password: string, hash: string): Promise<boolean>;
  /** Ends the threads that it holds. */
  close(): Promise<void>;
}

/** Least work factor of bcrypt. */
export const BCRYPT_COST_MIN = 4;
/** Greatest work factor of bcrypt. */
export const BCRYPT_COST_MAX = 31;
/** etcd --bcrypt-cost. */
export const DEFAULT_BCRYPT_COST = 10;
