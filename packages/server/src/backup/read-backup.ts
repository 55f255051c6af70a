/**
 * The state in etcd's database, ours or a real etcd's, into a backend: keys, leases, users, roles and alarms. Members,
 * configuration and cluster version are left where they are: a restored cluster begins with its own.
 */
import { fromUtf8, InvariantError, toLatin1 } from '@etcd-ts/base';
import { type Backend, type BackendEntry, fillBackend } from '@etcd-ts/mvcc';
import { AlarmMember, Lease, Role, User } from '@etcd-ts/protocol';
import { ALARMS_RECORD, encodeAlarms, inAlarmOrder } from '../apply/alarms.ts';
import { AUTH_RECORD, encodeAuthRecord } from '../apply/auth-record.ts';
import type { AuthRole, AuthUser } from '../auth/auth-state.ts';
import { BboltReader, type Bucket, type RandomAccessFile } from '../bbolt/database-reader.ts';
import { type BboltEntry, BboltError, viewOf } from '../bbolt/format.ts';
import { encodeLeaseRecord, leaseRecordName } from '../lease/lease-record.ts';
import * as etcd from './etcd-buckets.ts';

/** First byte of a record's name in a backend. */
const RECORD_PREFIX = 0x6b;

type Blob = readonly [name: string, value: Uint8Array];

/**
 * Fills an empty backend. Open the state on it afterwards, which finds out whether the content is one that a state has.
 *
 * @throws BboltError when it is not etcd's database, or a damaged one.
 */
export async function fillFromBackup(backend: Backend, file: RandomAccessFile): Promise<void> {
  const database = await BackupDatabase.open(file);
  const meta = await database.table(etcd.META);
  const index = Math.max(1, numberOf(meta, etcd.CONSISTENT_INDEX, 8) ?? 1);
  const applied = { index, term: Math.max(1, numberOf(meta, etcd.TERM, 8) ?? 1) };
  const blobs = [
    ...(await leaseBlobs(database, index)),
    ...(await alarmBlobs(database)),
    await authBlob(database),
  ];
  const keys = new KeyBucket(database);
  await fillBackend(backend, {
    applied,
    compactRevision: numberOf(meta, etcd.SCHEDULED_COMPACT, etcd.REVISION_BYTES) ?? -1,
    compactedRevision: numberOf(meta, etcd.FINISHED_COMPACT, etcd.REVISION_BYTES) ?? -1,
    records: keys.records(),
    revision: () => keys.revision,
    blobs: () => blobs,
  });
}

/** A database whose buckets are those of etcd. */
class BackupDatabase {
  readonly #reader: BboltReader;
  readonly #buckets: ReadonlyMap<string, Bucket>;

  private constructor(reader: BboltReader, buckets: readonly Bucket[]) {
    this.#reader = reader;
    this.#buckets = new Map(buckets.map((bucket) => [bucket.name, bucket]));
  }

  static async open(file: RandomAccessFile): Promise<BackupDatabase> {
    const reader = await BboltReader.open(file);
    const database = new BackupDatabase(reader, await reader.buckets());
    for (const name of [etcd.KEY, etcd.META]) {
      if (database.#buckets.has(name)) continue;
      throw new BboltError(`it is no database of etcd: bucket ${name} is missing`);
    }
    return database;
  }

  /** The entries of a bucket; none when it is not there, for older versions have fewer. */
  async *entries(name: string): AsyncGenerator<readonly BboltEntry[], void, undefined> {
    const bucket = this.#buckets.get(name);
    if (bucket !== undefined) yield* this.#reader.entries(bucket);
  }

  /** All entries of a small bucket. */
  async table(name: string): Promise<ReadonlyMap<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    for await (const batch of this.entries(name)) {
      for (const [key, value] of batch) found.set(toLatin1(key), value);
    }
    return found;
  }

  /** Makes something of every entry. */
  async list<Item>(name: string, make: (entry: BboltEntry) => Item): Promise<Item[]> {
    const found: Item[] = [];
    for await (const batch of this.entries(name)) {
      for (const entry of batch) found.push(decoded(name, () => make(entry)));
    }
    return found;
  }
}

/** The records, and what else the bucket tells. */
class KeyBucket {
  readonly #database: BackupDatabase;
  /** The last revision that has a record, with or without content. */
  revision = 0;

  constructor(database: BackupDatabase) {
    this.#database = database;
  }

  /** Records without content are left out: they say no more than how far revisions have got. */
  async *records(): AsyncGenerator<readonly BackendEntry[], void, undefined> {
    for await (const batch of this.#database.entries(etcd.KEY)) {
      const records: BackendEntry[] = [];
      for (const [key, value] of batch) {
        this.revision = mainOf(key);
        if (value.length > 0) records.push([recordName(key), value]);
      }
      yield records;
    }
  }
}

function recordName(key: Uint8Array): Uint8Array {
  const name = new Uint8Array(1 + key.length);
  name[0] = RECORD_PREFIX;
  name.set(key, 1);
  return name;
}

/** @throws BboltError when it is not the name of a revision. */
function mainOf(key: Uint8Array): number {
  const isDelete = key.length === etcd.REVISION_BYTES + 1 && key.at(-1) === etcd.TOMBSTONE_MARK;
  const hasLength = isDelete || key.length === etcd.REVISION_BYTES;
  if (!hasLength || key[8] !== etcd.REVISION_SEPARATOR) {
    throw new BboltError(`bucket ${etcd.KEY} has a key that is no revision: ${toLatin1(key)}`);
  }
  safeNumber(key, 9, 'a sub revision');
  return safeNumber(key, 0, 'a revision');
}

/** The number at the front of a value. */
function numberOf(
  table: ReadonlyMap<string, Uint8Array>,
  name: string,
  bytes: number,
): number | undefined {
  const value = table.get(name);
  if (value === undefined || value.length === 0) return undefined;
  if (value.length !== bytes) {
    throw new BboltError(`${name} has ${value.length} bytes, and should have ${bytes}`);
  }
  return safeNumber(value, 0, name);
}

function safeNumber(bytes: Uint8Array, at: number, what: string): number {
  const value = Number(viewOf(bytes).getBigUint64(at));
  if (!Number.isSafeInteger(value)) throw new BboltError(`${what} is ${value}, and too large`);
  return value;
}

/** @param grantedIndex When a lease was granted is not in the backup: before its last entry, that much is sure. */
async function leaseBlobs(database: BackupDatabase, grantedIndex: number): Promise<Blob[]> {
  return database.list(etcd.LEASE, ([, value]): Blob => {
    const { ID: id, TTL: grantedTtlSeconds, RemainingTTL } = Lease.decode(value);
    const lease = { id, grantedTtlSeconds, checkpointedTtlSeconds: RemainingTTL, grantedIndex };
    return [leaseRecordName(id), encodeLeaseRecord(lease)];
  });
}

async function alarmBlobs(database: BackupDatabase): Promise<Blob[]> {
  const raised = await database.list(etcd.ALARM, ([key]) => AlarmMember.decode(key));
  return raised.length === 0 ? [] : [[ALARMS_RECORD, encodeAlarms(raised.sort(inAlarmOrder))]];
}

async function authBlob(database: BackupDatabase): Promise<Blob> {
  const auth = await database.table(etcd.AUTH);
  const content = {
    enabled: auth.get(etcd.AUTH_ENABLED)?.[0] === 1,
    revision: numberOf(auth, etcd.AUTH_REVISION, 8) ?? 1,
    users: await database.list(etcd.AUTH_USERS, userOf),
    roles: await database.list(etcd.AUTH_ROLES, roleOf),
  };
  return [AUTH_RECORD, encodeAuthRecord(content)];
}

function userOf([key, value]: BboltEntry): AuthUser {
  const { password, roles, options } = User.decode(value);
  const noPassword = options?.noPassword ?? false;
  return { name: fromUtf8(key), passwordHash: password, noPassword, roles };
}

function roleOf([key, value]: BboltEntry): AuthRole {
  return { name: fromUtf8(key), permissions: Role.decode(value).keyPermission };
}

/** What does not decode is a damaged value. */
function decoded<T>(bucket: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    throw new BboltError(`bucket ${bucket} has a value that is none: ${String(error)}`);
  }
}
