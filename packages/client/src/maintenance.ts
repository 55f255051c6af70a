import {
  AlarmAction,
  type AlarmMember,
  AlarmType,
  DowngradeAction,
  EtcdError,
  type HashKVResponse,
  type StatusResponse,
  type UnaryMethodName,
  type RequestOf,
  type ResponseOf,
  type SnapshotResponse,
} from '@etcd-ts/protocol';
import type { Caller, ClientCallOptions } from './caller.ts';

/** Calls that concern one member name it by its endpoint. */
export interface MemberCallOptions extends ClientCallOptions {
  /** Which of the client's endpoints to ask. @defaultValue the one in use */
  readonly endpoint?: string;
}

/** The maintenance calls: `client.maintenance`. They are never tried again at another member. */
export class Maintenance {
  readonly #caller: Caller;

  /** @internal */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** How a member is. */
  status(options?: MemberCallOptions): Promise<StatusResponse> {
    return this.#ask('etcdserverpb.Maintenance/Status', {}, options);
  }

  /** The alarms that are raised. @param alarm Of one kind. @defaultValue all */
  async alarms(
    alarm: number = AlarmType.NONE,
    options?: ClientCallOptions,
  ): Promise<AlarmMember[]> {
    const request = { action: AlarmAction.GET, memberID: 0n, alarm };
    const answer = await this.#caller.unary(
      'etcdserverpb.Maintenance/Alarm',
      request,
      'read',
      options,
    );
    return answer.alarms;
  }

  /** Clears an alarm, which must match exactly. @returns What was cleared. */
  async disarm(alarm: AlarmMember, options?: ClientCallOptions): Promise<AlarmMember[]> {
    const request = { action: AlarmAction.DEACTIVATE, ...alarm };
    const answer = await this.#caller.unary(
      'etcdserverpb.Maintenance/Alarm',
      request,
      'write',
      options,
    );
    return answer.alarms;
  }

  /** Gives the space of deleted versions back to the file system. */
  async defragment(options?: MemberCallOptions): Promise<void> {
    await this.#ask('etcdserverpb.Maintenance/Defragment', {}, options);
  }

  /** Hash of a member's keys up to a revision. @throws EtcdError COMPACTED, FUTURE_REV. */
  hashKV(revision = 0, options?: MemberCallOptions): Promise<HashKVResponse> {
    return this.#ask('etcdserverpb.Maintenance/HashKV', { revision }, options);
  }

  /** Hash of a member's whole backend. */
  async hash(options?: MemberCallOptions): Promise<number> {
    const answer = await this.#ask('etcdserverpb.Maintenance/Hash', {}, options);
    return answer.hash;
  }

  /** Hands leadership over; goes to the leader. @throws EtcdError NOT_LEADER, BAD_LEADER_TRANSFEREE. */
  async moveLeader(targetID: bigint, options?: MemberCallOptions): Promise<void> {
    await this.#ask('etcdserverpb.Maintenance/MoveLeader', { targetID }, options);
  }

  /** Validates, starts or cancels a downgrade. @returns The cluster's version. */
  async downgrade(
    action: 'validate' | 'enable' | 'cancel',
    version = '',
    options?: ClientCallOptions,
  ): Promise<string> {
    const numbers = {
      validate: DowngradeAction.VALIDATE,
      enable: DowngradeAction.ENABLE,
      cancel: DowngradeAction.CANCEL,
    };
    const request = { action: numbers[action], version };
    const answer = await this.#caller.unary(
      'etcdserverpb.Maintenance/Downgrade',
      request,
      'write',
      options,
    );
    return answer.version;
  }

  /**
   * The backend of a member in chunks; the last one, of 32 bytes with none remaining, is the SHA-256 of all before.
   * Leaving the loop ends the transfer.
   */
  async *snapshot(
    options: MemberCallOptions = {},
  ): AsyncGenerator<SnapshotResponse, void, undefined> {
    const index = this.#index(options.endpoint);
    const { signal, timeoutMs } = options;
    for (let mayRenew = true; ; mayRenew = false) {
      const { call, failed } = await this.#caller.streamTo(
        index,
        'etcdserverpb.Maintenance/Snapshot',
        { signal, timeoutMs },
      );
      call.send({});
      call.end();
      try {
        for await (const chunk of call.responses) {
          mayRenew = false;
          yield chunk;
        }
        return;
      } catch (thrown) {
        const error = EtcdError.from(thrown);
        if (!failed(error) || !mayRenew) throw error;
      }
    }
  }

  async #ask<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    options: MemberCallOptions = {},
  ): Promise<ResponseOf<Method>> {
    return this.#caller.unaryTo(this.#index(options.endpoint), method, request, options);
  }

  #index(endpoint: string | undefined): number | undefined {
    if (endpoint === undefined) return undefined;
    const { names } = this.#caller.endpoints;
    const index = names.indexOf(endpoint);
    if (index >= 0) return index;
    throw new EtcdError('INVALID_ARGUMENT', {
      message: `endpoint ${endpoint} is not one of ${names.join(', ')}`,
    });
  }
}
