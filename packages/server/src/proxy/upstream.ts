/** The cluster behind a proxy: one member at a time, the next when that one fails. */
import {
  type CallContext,
  type CallOptions,
  type Channel,
  EtcdError,
  type RequestOf,
  type ResponseOf,
  Status,
  type StreamCall,
  type StreamMethodName,
  type UnaryMethodName,
} from '@etcd-ts/protocol';

/** Metadata of a call that the members have a use for. */
const FORWARDED = ['token', 'authorization', 'hasleader', 'client-api-version'];

/** Methods that change nothing: another member may be asked whatever became of the first attempt. */
const READS: ReadonlySet<string> = new Set([
  'etcdserverpb.KV/Range',
  'etcdserverpb.Lease/LeaseTimeToLive',
  'etcdserverpb.Lease/LeaseLeases',
  'etcdserverpb.Cluster/MemberList',
  'etcdserverpb.Maintenance/Status',
  'etcdserverpb.Maintenance/Hash',
  'etcdserverpb.Maintenance/HashKV',
]);

/** A stream to the member that was in use when it was opened. */
export interface OpenStream<Method extends StreamMethodName> {
  readonly call: StreamCall<RequestOf<Method>, ResponseOf<Method>>;
  /** The stream broke with this: of a member that cannot be reached the next one takes the place. */
  readonly failed: (error: EtcdError) => void;
}

/** The members, and which of them is in use. */
export class Upstream {
  readonly #connect: (endpoint: string) => Channel;
  #endpoints: readonly string[];
  readonly #channels = new Map<string, Channel>();
  #current = 0;

  constructor(endpoints: readonly string[], connect: (endpoint: string) => Channel) {
    this.#endpoints = endpoints;
    this.#connect = connect;
  }

  get endpoints(): readonly string[] {
    return this.#endpoints;
  }

  /** Replaces the members; the one in use stays in use when it is still there. */
  setEndpoints(endpoints: readonly string[]): void {
    if (endpoints.length === 0) return;
    const inUse = this.#endpoints[this.#current];
    this.#endpoints = endpoints;
    this.#current = Math.max(0, endpoints.indexOf(inUse ?? ''));
    for (const [endpoint, channel] of this.#channels) {
      if (endpoints.includes(endpoint)) continue;
      this.#channels.delete(endpoint);
      void channel.close();
    }
  }

  /**
   * One call, at each member once at most, as long as it is certain that the one before had no effect.
   *
   * @throws EtcdError what the last member answered.
   */
  async unary<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    context: CallContext,
  ): Promise<ResponseOf<Method>> {
    for (let attempt = 1; ; attempt++) {
      const channel = this.channel();
      try {
        return await channel.unary(method, request, optionsOf(context));
      } catch (thrown) {
        const error = EtcdError.from(thrown);
        const isSafe = READS.has(method) || !error.mayHaveApplied;
        const isLast = attempt >= this.#endpoints.length;
        if (error.status === Status.UNAVAILABLE) this.failed(channel);
        if (error.status !== Status.UNAVAILABLE || !isSafe || isLast) throw error;
      }
    }
  }

  /** Opens a stream to the member in use. */
  stream<Method extends StreamMethodName>(
    method: Method,
    options: CallOptions,
  ): OpenStream<Method> {
    const channel = this.channel();
    const failed = ({ status }: EtcdError): void => {
      if (status === Status.UNAVAILABLE) this.failed(channel);
    };
    return { call: channel.stream(method, options), failed };
  }

  /** The channel in use. */
  channel(): Channel {
    const endpoint = this.#endpoints[this.#current] as string;
    let channel = this.#channels.get(endpoint);
    if (channel === undefined) {
      channel = this.#connect(endpoint);
      this.#channels.set(endpoint, channel);
    }
    return channel;
  }

  /** Turns to the next member, unless somebody has done so already. */
  failed(channel: Channel): void {
    if (channel !== this.channel()) return;
    this.#current = (this.#current + 1) % this.#endpoints.length;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#channels.values()].map((channel) => channel.close()));
  }
}

/** Whoever makes one call for a caller: the cluster, or something before it. */
export type UnaryCalls = Pick<Upstream, 'unary'>;

/** Whether a caller says who it is. */
export function hasToken({ metadata }: CallContext): boolean {
  return metadata.has('token') || metadata.has('authorization');
}

/** What of a call goes on to the members. */
export function optionsOf({ signal, metadata, timeoutMs }: CallContext): CallOptions {
  return { signal, timeoutMs, metadata: forwarded(metadata) };
}

/** The metadata that goes on to the members. */
export function forwarded(metadata: CallContext['metadata']): ReadonlyMap<string, string> {
  return new Map([...metadata].filter(([name]) => FORWARDED.includes(name)));
}
