/** Hashes passwords and compares them; slow by design, so never on the event loop. */
export interface PasswordHasher {
  /**
   * A bcrypt hash (`$2a$…`) of the password's UTF-8 bytes, as text.
   *
   * @throws EtcdError UNKNOWN with Go's text for more than {@link PASSWORD_BYTES_MAX} bytes; TOO_MANY_REQUESTS when too
   *   many wait.
   */
  hash(password: string): Promise<string>;
  /**
   * True when the password is the one that was hashed. False also for what is no bcrypt hash.
   *
   * @throws EtcdError TOO_MANY_REQUESTS when too many wait.
   */
  matches(password: string, hash: string): Promise<boolean>;
  /** Ends the threads that it holds. */
  close(): Promise<void>;
}

/** bcrypt takes no more of a password into account; a longer one is refused, as by Go's bcrypt. */
export const PASSWORD_BYTES_MAX = 72;

/** Passwords that wait for the processor; one more is refused, since whoever waits that long has given up. */
export const WAITING_PASSWORDS_MAX = 1_000;

/** Least work factor of bcrypt. */
export const BCRYPT_COST_MIN = 4;
/** Greatest work factor of bcrypt. */
export const BCRYPT_COST_MAX = 31;
/** etcd --bcrypt-cost. */
export const DEFAULT_BCRYPT_COST = 10;
