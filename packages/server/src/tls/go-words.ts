/** What OpenSSL and Node find wrong with a handshake, in the words of Go, which tools and people look for in a log. */

const UNKNOWN_AUTHORITY =
  'tls: failed to verify certificate: x509: certificate signed by unknown authority';

/** Codes of a certificate's verification. */
const VERIFICATION: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  CERT_SIGNATURE_FAILURE: UNKNOWN_AUTHORITY,
  INVALID_PURPOSE:
    'tls: failed to verify certificate: x509: certificate specifies an incompatible key usage',
  CERT_HAS_EXPIRED:
    'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID:
    'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
};

/** Codes of a handshake that came to no end. */
const HANDSHAKE: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: 'tls: first record does not look like a TLS handshake',
  ERR_SSL_WRONG_VERSION_NUMBER: 'tls: first record does not look like a TLS handshake',
  ERR_SSL_UNEXPECTED_MESSAGE: 'tls: unexpected message',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls: client offered only unsupported versions',
  ERR_SSL_NO_SHARED_CIPHER: 'tls: no cipher suite supported by both client and server',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "tls: client didn't provide a certificate",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'remote error: tls: unknown certificate authority',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'remote error: tls: bad certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'remote error: tls: expired certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'remote error: tls: unknown certificate',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'tls: handshake timed out',
  ECONNRESET: 'EOF',
};

/** Go's words for who shows no certificate although one is asked for. */
export const NO_CERTIFICATE = "tls: client didn't provide a certificate";

/** Go's words for a certificate that the list of allowed names does not have. */
export const NOT_ALLOWED = 'client certificate authentication failed';

/**
 * Why a certificate was not verified.
 *
 * @param code OpenSSL's, such as `CERT_HAS_EXPIRED`.
 */
export function verificationProblem(code: string): string {
  return VERIFICATION[code] ?? `tls: failed to verify certificate: ${code}`;
}

/** A dialler's failure, in Go's words where it is about the certificate that it was shown. */
export function diallingProblem(error: Error & { readonly code?: string }): Error {
  const words = VERIFICATION[error.code ?? ''];
  return words === undefined ? error : new Error(words, { cause: error });
}

/** Why a handshake came to no end. */
export function handshakeProblem(error: Error & { readonly code?: string }): string {
  return HANDSHAKE[error.code ?? ''] ?? error.message.trim();
}
