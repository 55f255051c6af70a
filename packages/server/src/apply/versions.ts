/**
 * The version that the cluster has agreed on, and the downgrade that is under way: replicated, and on disk in one record
 * with the format of all of this state (etcd server/etcdserver/api/membership/cluster.go and server/storage/schema).
 *
 * The record `versions`: its own format in one byte, then UTF-8: the cluster's version, a space, the target of a
 * downgrade; either may be empty.
 */
import { crc32c, fromUtf8, utf8 } from '@etcd-ts/base';
import { StartError } from '../start-error.ts';
import type { RecordTable } from './record-table.ts';

/** The record's name. */
export const VERSIONS_RECORD = 'versions';

/** What this version writes; it reads everything up to it. Everything stored has had this form since 3.5. */
const STATE_FORMAT = 1;

/** Versions as major and minor: `3.6`. */
export class Versions {
  readonly #records: RecordTable;
  #cluster: string | undefined;
  #downgradeTarget: string | undefined;
  #checksum = 0;

  /** @throws StartError NEWER_FORMAT: the state was written by a version that stores it in another way. */
  constructor(records: RecordTable) {
    this.#records = records;
    const record = records.get(VERSIONS_RECORD);
    if (record === undefined) return;
    const format = record[0] ?? 0;
    if (format > STATE_FORMAT) {
      throw new StartError(
        'NEWER_FORMAT',
        `the state was written in format ${format}, by a newer version; this one reads formats up to ${STATE_FORMAT}`,
      );
    }
    const [cluster = '', target = ''] = fromUtf8(record.subarray(1)).split(' ');
    this.#cluster = cluster === '' ? undefined : cluster;
    this.#downgradeTarget = target === '' ? undefined : target;
    this.#checksum = crc32c(this.#encode());
  }

  /** What every member understands, and may store; undefined until the first leader has asked all of them. */
  get cluster(): string | undefined {
    return this.#cluster;
  }

  /** Where a downgrade goes; undefined: none is under way. */
  get downgradeTarget(): string | undefined {
    return this.#downgradeTarget;
  }

  /** A digest; equal on members that hold the same. */
  get checksum(): number {
    return this.#checksum;
  }

  setCluster(version: string): void {
    this.#cluster = version;
    this.#write();
  }

  /** @param target Empty: the downgrade is over, or called off. */
  setDowngradeTarget(target: string): void {
    this.#downgradeTarget = target === '' ? undefined : target;
    this.#write();
  }

  #write(): void {
    const record = this.#encode();
    this.#checksum = crc32c(record);
    this.#records.set(VERSIONS_RECORD, record);
  }

  #encode(): Uint8Array {
    const text = utf8(`${this.#cluster ?? ''} ${this.#downgradeTarget ?? ''}`);
    const record = new Uint8Array(1 + text.length);
    record[0] = STATE_FORMAT;
    record.set(text, 1);
    return record;
  }
}
