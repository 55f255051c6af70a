/**
 * The one class of operational errors, on both sides of the wire. (A broken invariant is an InvariantError of
 * `@etcd-ts/base` instead; it stops the node.)
 */
import { CATALOGUE, ETCD_ERRORS, type ErrorCode, GENERIC_ERRORS } from './catalogue.ts';
import { Status, STATUS_NAMES } from './status.ts';

/** What an error may carry besides its code. */
export interface EtcdErrorOptions {
  /** Text in place of the catalogue's, for codes whose text names something. */
  readonly message?: string;
  /** What it was that failed underneath. */
  readonly cause?: unknown;
  /** In place of the catalogue's. */
  readonly mayHaveApplied?: boolean;
  /** More for the reader of a log, such as the value and the limit; never sent over the wire. */
  readonly detail?: string;
}

const brand = Symbol.for('@etcd-ts/EtcdError');

/**
 * Something that could not be done.
 *
 * Match on `code`, which is stable; `message` is etcd's text where etcd has one. All codes: `docs/errors.md`.
 *
 * @example
 * catch (error) { if (EtcdError.is(error) && error.code === 'COMPACTED') relist(); else throw error; }
 */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  readonly code: ErrorCode;
  /** gRPC status, 1 to 16. */
  readonly status: number;
  /** False: the request certainly had no effect. True: unknown. */
  readonly mayHaveApplied: boolean;
  /** More than the wire says; undefined on errors that came over it. */
  readonly detail: string | undefined;
  /** @internal Marks errors of any copy of this package. */
  readonly [brand] = true;

  constructor(code: ErrorCode, options: EtcdErrorOptions = {}) {
    const entry = CATALOGUE[code];
    super(
      options.message ?? entry.message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.status = Status[entry.status];
    this.mayHaveApplied = options.mayHaveApplied ?? entry.mayHaveApplied ?? false;
    this.detail = options.detail;
  }

  /** True for errors of this class, also when another copy of the package made them. */
  static is(value: unknown): value is EtcdError {
    return typeof value === 'object' && value !== null && brand in value;
  }

  /**
   * The error as it is, or as UNKNOWN with its text (what grpc-go does with errors that have no status).
   */
  static from(value: unknown): EtcdError {
    if (EtcdError.is(value)) return value;
    const message = value instanceof Error ? value.message : String(value);
    return new EtcdError('UNKNOWN', { message, cause: value });
  }
}

/** Status and text to code; the first of the catalogue wins. */
const codeByWire = new Map<string, ErrorCode>();
for (const [code, entry] of Object.entries(ETCD_ERRORS) as [
  ErrorCode,
  { status: keyof typeof Status; message: string },
][]) {
  const key = `${Status[entry.status]} ${entry.message}`;
  if (!codeByWire.has(key)) codeByWire.set(key, code);
}

/** Status number to the generic code of that status. */
const codeByStatus = new Map<number, ErrorCode>();
for (const code of Object.keys(GENERIC_ERRORS) as (keyof typeof GENERIC_ERRORS)[]) {
  codeByStatus.set(Status[GENERIC_ERRORS[code].status], code);
}
codeByStatus.set(Status.PERMISSION_DENIED, 'PERMISSION_DENIED');

/**
 * The error that a status and its text on the wire stand for: etcd's own when both match, else the generic one of that
 * status (UNKNOWN when there is none) with the text.
 */
export function errorFromWire(
  status: number,
  message: string,
  options: Omit<EtcdErrorOptions, 'message'> = {},
): EtcdError {
  const code = codeByWire.get(`${status} ${message}`);
  if (code !== undefined) return new EtcdError(code, options);
  return new EtcdError(codeByStatus.get(status) ?? 'UNKNOWN', { ...options, message });
}

/** How grpc-go prints an error: the cancel reason of a watch that auth refuses (etcd api/v3rpc/watch.go). */
export function rpcErrorText(error: EtcdError): string {
  return `rpc error: code = ${STATUS_NAMES[error.status] ?? 'Unknown'} desc = ${error.message}`;
}

/** The error that {@link rpcErrorText} printed; undefined when the text is not of that form. */
export function errorFromRpcText(text: string): EtcdError | undefined {
  const match = /^rpc error: code = (\w+) desc = (.*)$/s.exec(text);
  if (match === null) return undefined;
  const status = STATUS_NAMES.indexOf(match[1] ?? '');
  return status < 1 ? undefined : errorFromWire(status, match[2] ?? '');
}
