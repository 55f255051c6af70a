/** Asks a member that was started from a backup, as root where that needs rights. */
import { utf8 } from '@etcd-ts/base';
import {
  AlarmAction,
  AlarmType,
  type CallOptions,
  type Channel,
  type RangeResponse,
} from '@etcd-ts/protocol';
import type { EtcdNode } from '@etcd-ts/server';
import { EVERYTHING } from '../history/closing.ts';
import { rangeRequest } from '../workload/wire.ts';
import { ROOT_CREDENTIALS } from './auth-switch.ts';

/** A key that no client of the old cluster writes. */
export const MARK: Uint8Array = utf8('restored');

/** A client without a network: nothing gets lost between it and the member. */
export class RestoredCaller {
  readonly #channel: Channel;
  readonly #options: CallOptions;

  private constructor(channel: Channel, options: CallOptions) {
    this.#channel = channel;
    this.#options = options;
  }

  /** Logs in, when the backup was made while authentication was on. */
  static async connect(node: EtcdNode): Promise<RestoredCaller> {
    const channel = node.channel();
    if (!node.port.state.auth.enabled) return new RestoredCaller(channel, {});
    const { token } = await channel.unary('etcdserverpb.Auth/Authenticate', ROOT_CREDENTIALS);
    return new RestoredCaller(channel, { metadata: new Map([['token', token]]) });
  }

  /** All keys, linearizably; at revision 0 as of now. */
  range(revision = 0): Promise<RangeResponse> {
    const request = rangeRequest(EVERYTHING, { rangeEnd: utf8(EVERYTHING), revision });
    return this.#channel.unary('etcdserverpb.KV/Range', request, this.#options);
  }

  /** Writes {@link MARK}. Gives the revision. */
  async put(): Promise<number> {
    const flags = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
    const request = { key: MARK, value: utf8('mark'), ...flags };
    const { header } = await this.#channel.unary('etcdserverpb.KV/Put', request, this.#options);
    return header?.revision ?? 0;
  }

  /** The revision through which all is compacted, as a watch from an old one is told; 0: it is told nothing of that. */
  async watchFrom(startRevision: number): Promise<number> {
    const call = this.#channel.stream('etcdserverpb.Watch/Watch', this.#options);
    const all = { key: utf8(EVERYTHING), rangeEnd: utf8(EVERYTHING) };
    const flags = { progressNotify: false, filters: [], prevKv: false, fragment: false };
    const value = { ...all, ...flags, startRevision, watchId: 0n };
    call.send({ requestUnion: { $case: 'createRequest', value } });
    try {
      for await (const { canceled, compactRevision, events } of call.responses) {
        if (canceled) return compactRevision;
        if (events.length > 0) return 0;
      }
      return 0;
    } finally {
      call.cancel();
    }
  }

  /** The alarms of the old cluster are those of the new one, until an operator lowers them. */
  async lowerAlarms(): Promise<void> {
    const method = 'etcdserverpb.Maintenance/Alarm';
    const all = { action: AlarmAction.GET, memberID: 0n, alarm: AlarmType.NONE };
    const { alarms } = await this.#channel.unary(method, all, this.#options);
    for (const { memberID, alarm } of alarms) {
      const off = { action: AlarmAction.DEACTIVATE, memberID, alarm };
      await this.#channel.unary(method, off, this.#options);
    }
  }
}
