/**
 * The alarms that are raised: which member complains of what (etcd server/etcdserver/api/v3alarm/alarms.go).
 *
 * What always holds
 * - An alarm is one pair of member id and type. NONE is never raised.
 * - The member id is taken as it comes: an alarm for an id that no member has blocks writes as any other, until it is
 *   lowered by the very same pair.
 */
import { crc32c } from '@etcd-ts/base';
import { AlarmType, type AlarmMember, AlarmResponse } from '@etcd-ts/protocol';
import type { RecordTable } from './record-table.ts';

/** The record's name. */
export const ALARMS_RECORD = 'alarms';

/** The record's bytes. @param raised Sorted by member id, then type. */
export function encodeAlarms(raised: readonly AlarmMember[]): Uint8Array {
  return AlarmResponse.encode(AlarmResponse.fromPartial({ alarms: [...raised] }));
}

/** Order of the record: by member id, then type. */
export function inAlarmOrder(a: AlarmMember, b: AlarmMember): number {
  if (a.memberID !== b.memberID) return a.memberID < b.memberID ? -1 : 1;
  return a.alarm - b.alarm;
}

/** The set of raised alarms. */
export class Alarms {
  /** Sorted by member id, then type. */
  #raised: readonly AlarmMember[];
  readonly #records: RecordTable;
  #checksum: number;

  /** Reads what the records hold, and writes to them from now on. */
  constructor(records: RecordTable) {
    this.#records = records;
    const record = records.get(ALARMS_RECORD);
    this.#raised = record === undefined ? [] : AlarmResponse.decode(record).alarms;
    this.#checksum = crc32c(encodeAlarms(this.#raised));
  }

  /** Whether none is raised. */
  get isEmpty(): boolean {
    return this.#raised.length === 0;
  }

  /** All alarms of a type, whoever raised them; of all types for NONE. Sorted by member id, then type. */
  list(type: number = AlarmType.NONE): readonly AlarmMember[] {
    return type === AlarmType.NONE
      ? this.#raised
      : this.#raised.filter(({ alarm }) => alarm === type);
  }

  /** Whether any member raised this type. */
  has(type: number): boolean {
    return this.#raised.some(({ alarm }) => alarm === type);
  }

  /** Raises an alarm; returns it, whether it is new or not. NONE raises nothing. */
  activate(memberID: bigint, alarm: number): AlarmMember | undefined {
    if (alarm === AlarmType.NONE) return undefined;
    const known = this.#find(memberID, alarm);
    if (known !== undefined) return known;
    const raised: AlarmMember = { memberID, alarm };
    this.#replace([...this.#raised, raised].sort(inAlarmOrder));
    return raised;
  }

  /** Lowers an alarm; returns it when it was raised. */
  deactivate(memberID: bigint, alarm: number): AlarmMember | undefined {
    const known = this.#find(memberID, alarm);
    if (known !== undefined) this.#replace(this.#raised.filter((other) => other !== known));
    return known;
  }

  /** A digest of everything here; unsigned 32 bits. */
  get checksum(): number {
    return this.#checksum;
  }

  #find(memberID: bigint, type: number): AlarmMember | undefined {
    return this.#raised.find((other) => other.memberID === memberID && other.alarm === type);
  }

  #replace(raised: readonly AlarmMember[]): void {
    this.#raised = raised;
    const record = encodeAlarms(raised);
    this.#checksum = crc32c(record);
    this.#records.set(ALARMS_RECORD, record);
  }
}
