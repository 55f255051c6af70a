/**
 * Lists of revoked certificates, as etcd reads them: a certificate is refused when any list of the file has its serial
 * number. Neither the list's signature nor its dates count (client/pkg/transport/listener_tls.go, checkCRL).
 */
import 'reflect-metadata';
import { readFile } from 'node:fs/promises';
import { X509Crl } from '@peculiar/x509';

const PEM = /-----BEGIN X509 CRL-----[\s\S]+?-----END X509 CRL-----/g;

/** Lists that are read again when their file changes. */
export class RevocationList {
  readonly #path: string;
  #content: Buffer | undefined;
  #serials: ReadonlySet<string> = new Set();

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * What is wrong with a chain, in etcd's words; undefined when nothing is.
   *
   * @param serials Serial numbers in hexadecimal, the leaf's first.
   * @throws Error when the file cannot be read or is no list: then nobody can be let in.
   */
  async problem(serials: readonly string[]): Promise<string | undefined> {
    await this.load();
    const revoked = serials.map(normalSerial).find((serial) => this.#serials.has(serial));
    return revoked === undefined ? undefined : `transport: certificate serial ${revoked} revoked`;
  }

  /** Reads the file unless it is as it was. */
  async load(): Promise<void> {
    const content = await readFile(this.#path);
    if (this.#content?.equals(content) === true) return;
    const text = content.toString('latin1');
    const blocks: (string | Buffer)[] = text.match(PEM) ?? [content];
    const lists = blocks.map((block) => new X509Crl(block));
    const entries = lists.flatMap((list) => list.entries);
    this.#serials = new Set(entries.map(({ serialNumber }) => normalSerial(serialNumber)));
    this.#content = content;
  }
}

/** Serial numbers compare as numbers: without leading zeros, in lower case, a whole number of bytes. */
function normalSerial(hex: string): string {
  const digits = hex.toLowerCase().replace(/^0+/, '');
  return digits.length % 2 === 0 ? digits : `0${digits}`;
}
