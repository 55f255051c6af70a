/** Who a token says the caller is, and as of which revision of the auth store that was true. */
export interface TokenClaims {
  readonly username: string;
  readonly authRevision: number;
}

/**
 * Tokens that carry their claims, signed: any member can judge them, none has to remember them (etcd's JWT provider,
 * server/auth/jwt.go). Simple tokens are in simple-tokens.ts.
 */
export interface SignedTokens {
  /**
   * Signs claims.
   *
   * @throws EtcdError VERIFY_ONLY when there is no private key.
   */
  issue(claims: TokenClaims): Promise<string>;
  /** The claims of a token that is signed by our key and not expired; undefined otherwise. */
  verify(token: string): Promise<TokenClaims | undefined>;
}
