/**
 * A log file that is put aside when it is full, as etcd's rotation does it: `etcd.log` becomes
 * `etcd-2026-01-31T12-00-00.000.log`, with `.gz` when it is compressed; what is too old or too many is removed.
 *
 * What always holds
 * - A line is in one file, whole; no line is lost by a rotation. One that fails is tried again with the next line, and the
 *   file before it takes lines until then.
 * - Writing never throws: whoever logs is not to fail for it.
 */
import { closeSync, createReadStream, createWriteStream, fstatSync, openSync } from 'node:fs';
import { mkdirSync, renameSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { StartError } from '../../start-error.ts';
import type { LogOutput } from './outputs.ts';
import { writeAll } from './write-all.ts';

/** When a file is full, and what becomes of it. */
export interface Rotation {
  /** A line that would make the file larger goes into a new one. */
  readonly maxFileBytes: number;
  /** Files put aside longer ago are removed; 0 keeps them. */
  readonly maxAgeMs: number;
  /** Files put aside that are kept; 0 keeps all. */
  readonly maxBackups: number;
  /** Names carry the machine's local time instead of UTC. */
  readonly hasLocalTime: boolean;
  readonly isCompressed: boolean;
}

const MEGABYTE = 1024 ** 2;
const DAY_MS = 24 * 3_600_000;

/** For whoever runs the member alone: requests and names are in it. */
const FILE_MODE = 0o600;

/** etcd's default when `maxsize` is 0. */
const DEFAULT_MEGABYTES = 100;

/**
 * Reads `--log-rotation-config-json`.
 *
 * @throws StartError BAD_OPTION: no JSON, or a field of the wrong type.
 */
export function readRotation(json: string): Rotation {
  const fields = parse(json);
  const megabytes = number(fields, 'maxsize');
  return {
    maxFileBytes: (megabytes === 0 ? DEFAULT_MEGABYTES : megabytes) * MEGABYTE,
    maxAgeMs: number(fields, 'maxage') * DAY_MS,
    maxBackups: number(fields, 'maxbackups'),
    hasLocalTime: boolean(fields, 'localtime'),
    isCompressed: boolean(fields, 'compress'),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function parse(json: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    const message = `improperly formatted log rotation config: ${(cause as Error).message}`;
    throw new StartError('BAD_OPTION', message, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new StartError('BAD_OPTION', `invalid log rotation config: ${json} is no object`);
}

function number(fields: Fields, name: string): number {
  const value = fields[name] ?? 0;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw invalid(name, value, 'a whole number');
}

function boolean(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value === 'boolean') return value;
  throw invalid(name, value, 'true or false');
}

function invalid(name: string, value: unknown, expected: string): StartError {
  const shown = JSON.stringify(value);
  const message = `invalid log rotation config: ${name} must be ${expected}, is ${shown}`;
  return new StartError('BAD_OPTION', message);
}

/** Appends to a file, and rotates it. */
export class RotatingFile implements LogOutput {
  readonly #path: string;
  readonly #rotation: Rotation;
  readonly #now: () => Date;
  #descriptor: number;
  #sizeBytes: number;
  #isOpen = true;
  #tidying: Promise<void> = Promise.resolve();

  /**
   * Opens the file, and makes it and its folder when they are not there.
   *
   * @throws Error of the system.
   */
  constructor(path: string, rotation: Rotation, now: () => Date = () => new Date()) {
    this.#path = path;
    this.#rotation = rotation;
    this.#now = now;
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    this.#descriptor = openSync(path, 'a', FILE_MODE);
    this.#sizeBytes = fstatSync(this.#descriptor).size;
  }

  write(line: string): void {
    if (!this.#isOpen) return;
    const bytes = Buffer.from(line);
    const isFull =
      this.#sizeBytes > 0 && this.#sizeBytes + bytes.length > this.#rotation.maxFileBytes;
    if (isFull) this.#rotate();
    writeAll(this.#descriptor, bytes);
    this.#sizeBytes += bytes.length;
  }

  async close(): Promise<void> {
    if (this.#isOpen) closeSync(this.#descriptor);
    this.#isOpen = false;
    await this.#tidying;
  }

  #rotate(): void {
    const full = this.#descriptor;
    try {
      this.#putAside();
      this.#descriptor = openSync(this.#path, 'a', FILE_MODE);
    } catch {
      return;
    }
    // Not before there is another one: the number of a closed descriptor may soon be that of somebody else's file.
    closeSync(full);
    this.#sizeBytes = 0;
    // A failure here costs disk space, never a line; the next rotation tries again.
    this.#tidying = this.#tidying.then(() => this.#tidy()).catch(() => undefined);
  }

  #putAside(): void {
    try {
      renameSync(this.#path, this.#backupPath());
    } catch (error) {
      // Somebody has moved or removed it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #backupPath(): string {
    const { stem, extension, folder } = this.#parts();
    return join(folder, `${stem}-${this.#stamp()}${extension}`);
  }

  #parts(): { stem: string; extension: string; folder: string } {
    const extension = extname(this.#path);
    const stem = basename(this.#path, extension);
    return { stem, extension, folder: dirname(this.#path) };
  }

  /** A time as it stands in names. */
  #stamp(agoMs = 0): string {
    const now = new Date(this.#now().getTime() - agoMs);
    const offsetMs = this.#rotation.hasLocalTime ? now.getTimezoneOffset() * 60_000 : 0;
    const shown = new Date(now.getTime() - offsetMs).toISOString();
    return shown.replace('Z', '').replaceAll(':', '-');
  }

  /** Removes what is too old or too many, and compresses the rest. */
  async #tidy(): Promise<void> {
    const { maxAgeMs, maxBackups, isCompressed } = this.#rotation;
    const { folder } = this.#parts();
    const newestFirst = (await this.#backups()).sort((a, b) => b.stamp.localeCompare(a.stamp));
    const oldest = this.#stamp(maxAgeMs);
    for (const [at, { name, stamp }] of newestFirst.entries()) {
      const isTooMany = maxBackups > 0 && at >= maxBackups;
      const isTooOld = maxAgeMs > 0 && stamp < oldest;
      if (isTooMany || isTooOld) await rm(join(folder, name), { force: true });
      else if (isCompressed && !name.endsWith('.gz')) await compress(join(folder, name));
    }
  }

  async #backups(): Promise<{ name: string; stamp: string }[]> {
    const { stem, extension, folder } = this.#parts();
    const names = await readdir(folder);
    return names.flatMap((name) => {
      const plain = name.replace(/\.gz$/, '');
      if (!plain.startsWith(`${stem}-`) || !plain.endsWith(extension)) return [];
      const stamp = plain.slice(stem.length + 1, plain.length - extension.length);
      return /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}$/.test(stamp) ? [{ name, stamp }] : [];
    });
  }
}

async function compress(path: string): Promise<void> {
  const compressed = createWriteStream(`${path}.gz`, { mode: FILE_MODE });
  await pipeline(createReadStream(path), createGzip(), compressed);
  await rm(path);
}
