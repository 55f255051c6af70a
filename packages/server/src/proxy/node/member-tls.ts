/** TLS of the gRPC proxy towards the members: its certificate is read again for each new connection. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TLSSocketOptions } from 'node:tls';
import type { Logger } from '../../logger.ts';
import { systemWords } from '../../node/system-words.ts';
import { StartError } from '../../start-error.ts';
import { commonNameOf } from '../../tls/node/peer-check.ts';
import type { CommandValues } from './command-flags.ts';

/** What a connection to a member is made with. */
export type MemberTls = () => TLSSocketOptions;

/**
 * Reads the files once, and makes what reads them again.
 *
 * @returns Undefined when no flag speaks of TLS.
 * @throws StartError BAD_OPTION: a file that cannot be read; a certificate with a name, in etcd's words.
 */
export function memberTls(values: CommandValues, log: Logger): MemberTls | undefined {
  const [cert, key, ca] = ['cert', 'key', 'cacert'].map((name) => values.get(name) as string);
  const skips = values.get('insecure-skip-tls-verify') as boolean;
  if (!skips && [cert, key, ca].every((path) => path === '')) return undefined;
  const read = (): TLSSocketOptions => {
    const shown = fileOf('cert', cert);
    if (shown.cert !== undefined) refuseNamed(shown.cert, cert as string);
    return {
      ...shown,
      ...fileOf('key', key),
      ...fileOf('ca', ca),
      rejectUnauthorized: !skips,
    };
  };
  let last = read();
  return () => {
    try {
      last = read();
    } catch (error) {
      log.warn('cannot read the certificate for members again; the one before is shown', { error });
    }
    return last;
  };
}

function fileOf<Name extends 'cert' | 'key' | 'ca'>(
  name: Name,
  path: string | undefined,
): Partial<Record<Name, Buffer>> {
  if (path === undefined || path === '') return {};
  try {
    return { [name]: readFileSync(path) } as Partial<Record<Name, Buffer>>;
  } catch (cause) {
    throw new StartError('BAD_OPTION', `open ${path}: ${systemWords(cause)}`, { cause });
  }
}

/** Members take the name in a certificate for a user. Whoever came to the proxy without a token would be that user. */
function refuseNamed(cert: Buffer, path: string): void {
  const name = commonNameOf(new X509Certificate(cert));
  if (name === undefined || name === '') return;
  throw new StartError('BAD_OPTION', `cert has non empty Common Name (${name}): ${path}`);
}
