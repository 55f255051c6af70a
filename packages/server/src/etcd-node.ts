import { type ClusterId, deferred, endAll, type MemberId } from '@etcd-ts/base';
import { EtcdClient } from '@etcd-ts/client';
import type { Channel } from '@etcd-ts/protocol';
import { EventEmitter } from 'eventemitter3';
import { parseTokenOption } from './auth/token-option.ts';
import type { SignedTokens } from './auth/token-provider.ts';
import { openStorage } from './bootstrap/storage.ts';
import type { Env } from './env.ts';
import { InProcessChannel } from './listeners/in-process.ts';
import { leveled, type LeveledLogger, type LogLevel, silentLogger } from './logger.ts';
import { meteredBackends } from './metrics/metered-ports.ts';
import { metricsPage } from './metrics/node/metrics-page.ts';
import { NodeMetrics } from './metrics/node-metrics.ts';
import { systemEnv } from './node/system-env.ts';
import type { NodePort, NodeStatus } from './node-port.ts';
import { type EtcdNodeOptions, resolveOptions, type ResolvedOptions } from './options.ts';
import { RunningNode } from './running-node.ts';
import { StartError } from './start-error.ts';

/** What a node emits. */
export interface EtcdNodeEvents {
  /** Role, term or known leader changed. */
  status: (status: NodeStatus) => void;
  /** This node's view of who leads changed; undefined while nobody does. */
  leader: (leader: MemberId | undefined) => void;
  /** The node has ended; with the reason when it ended by itself. Emitted once. */
  stopped: (reason: Error | undefined) => void;
}

/** `running` from the moment `start` resolves; the last two are for ever. */
export type EtcdNodePhase = 'running' | 'stopping' | 'stopped';

/**
 * A member of an etcd cluster inside this process: its log, its state, its vote, and the API to all of it.
 *
 * @example
 * const node = await EtcdNode.start();
 * await node.client().put('greeting', 'hello');
 * await node.stop();
 */
export class EtcdNode extends EventEmitter<EtcdNodeEvents> {
  readonly options: ResolvedOptions;
  /** Resolves when the node has ended, however it ended. */
  readonly ended: Promise<void>;
  readonly #env: Env;
  readonly #logger: LeveledLogger;
  readonly #node: RunningNode;
  readonly #end = deferred<void>();
  readonly #channels = new Set<Channel>();
  #phase: EtcdNodePhase = 'running';
  #leader: bigint = 0n;

  private constructor(options: ResolvedOptions, env: Env, node: RunningNode) {
    super();
    this.options = options;
    this.#env = env;
    this.#logger = leveled(options.logger ?? silentLogger);
    this.#node = node;
    this.ended = this.#end.promise;
  }

  /**
   * Starts a member: recovers what its data directory holds or begins anew, connects to its peers, opens the doors for
   * clients. Resolves without waiting for a leader (see {@link EtcdNode.ready}); requests wait for one.
   *
   * @param env The node's surroundings; the system's own when absent.
   * @throws StartError with a code that says why not; nothing stays open and nothing is changed on disk then.
   */
  static async start(options: EtcdNodeOptions = {}, env?: Env): Promise<EtcdNode> {
    const resolved = resolveOptions({
      ...options,
      ...(options.logger === undefined ? {} : { logger: leveled(options.logger) }),
    });
    const given = env ?? systemEnv(resolved);
    const metrics = new NodeMetrics();
    const backends = meteredBackends(given.backends, metrics, given.clock);
    const surroundings = { ...given, backends };
    const { log } = surroundings;
    if (resolved.dataDir === undefined) {
      log.info('no data directory: everything is kept in memory and gone with the process');
    }
    try {
      await surroundings.prepare?.();
      const transport = surroundings.peers(resolved, metrics.traffic);
      const signedTokens = await tokensOf(resolved, surroundings);
      await traceCalls(resolved, surroundings, metrics);
      const storage = await openStorage(resolved, surroundings, { transport, metrics });
      // The node speaks in later turns only, when `facade` is there.
      let facade: EtcdNode | undefined;
      const events = {
        statusChanged: (status: NodeStatus): void => {
          if (facade !== undefined) facade.#statusChanged(status);
        },
        failed: (reason: Error): void => {
          if (facade !== undefined) void facade.#failed(reason);
        },
      };
      try {
        const node = await RunningNode.start({
          options: resolved,
          env: surroundings,
          storage,
          transport,
          signedTokens,
          metrics,
          events,
        });
        facade = new EtcdNode(resolved, surroundings, node);
      } catch (error) {
        await storage.close();
        throw error;
      }
      return facade;
    } catch (error) {
      await surroundings.close?.();
      throw error;
    }
  }

  get memberId(): MemberId {
    return this.#node.memberId;
  }

  get clusterId(): ClusterId {
    return this.#node.clusterId;
  }

  get phase(): EtcdNodePhase {
    return this.#phase;
  }

  /**
   * The least level that the node logs; may be set at any time. `debug` unless the logger has a level of its own.
   */
  get logLevel(): LogLevel {
    return this.#logger.level;
  }

  set logLevel(level: LogLevel) {
    this.#logger.level = level;
  }

  /** Where clients reach it over the network, with the real ports; empty without listeners. */
  get clientUrls(): readonly string[] {
    return this.#node.clientUrls;
  }

  /** Where monitors reach it besides, with the real ports. */
  get metricsUrls(): readonly string[] {
    return this.#node.metricsUrls;
  }

  /** What this node knows of the consensus right now. */
  status(): NodeStatus {
    return this.#node.status();
  }

  /** A digest over everything replicated; equal on all members after the same `status().appliedIndex`. */
  stateHash(): string {
    return this.#node.state.stateHash();
  }

  /** The port that services have on this node: for own listeners and tools. */
  get port(): NodePort {
    return this.#node;
  }

  /** All its metrics in Prometheus's text format: what `/metrics` answers, without listeners too. */
  metrics(): Promise<string> {
    return metricsPage(this.#node);
  }

  /**
   * Resolves when the member takes part: it has found a leader and published itself through the log.
   *
   * @throws EtcdError STOPPED when the node ends first.
   */
  ready(): Promise<void> {
    return this.#node.published;
  }

  /** A channel to this node's services, without a wire. It closes with the node. */
  channel(): Channel {
    const channel = new InProcessChannel(
      this.#node.services.handlers,
      this.#env.clock,
      this.#node.metrics.calls,
    );
    this.#channels.add(channel);
    return channel;
  }

  /** A client of this node, without a wire. It closes with the node. */
  client(): EtcdClient {
    const { clock, random } = this.#env;
    return new EtcdClient({
      endpoints: [this.options.name],
      connect: () => this.channel(),
      clock,
      random,
    });
  }

  /**
   * Ends in order: running calls get a moment, a leader hands over, everything applied is written. Harmless when
   * repeated.
   *
   * @throws WalError when the log's end cannot be made durable. The node has ended all the same, and has let go of its
   *   directories.
   */
  stop(): Promise<void> {
    return this.#finish(() => this.#node.stop());
  }

  /** Ends at once, as if the process were killed: nothing more is written. For tests and demonstrations. */
  kill(): Promise<void> {
    return this.#finish(() => this.#node.kill());
  }

  async #finish(end: () => Promise<void>, reason?: Error): Promise<void> {
    if (this.#phase !== 'running') return this.ended;
    this.#phase = 'stopping';
    try {
      const closeChannels = async (): Promise<void> => {
        for (const channel of this.#channels) await channel.close();
      };
      await endAll(end, closeChannels, () => this.#env.close?.());
    } finally {
      this.#phase = 'stopped';
      this.#end.resolve();
      this.emit('stopped', reason);
    }
  }

  #statusChanged(status: NodeStatus): void {
    this.emit('status', status);
    if (status.leader === this.#leader) return;
    this.#leader = status.leader;
    this.emit('leader', status.leader === 0n ? undefined : status.leader);
  }

  /** Nobody waits for this end: what goes wrong while it gives things up is only logged. */
  async #failed(reason: Error): Promise<void> {
    try {
      await this.#finish(() => this.#node.kill(), reason);
    } catch (error) {
      this.#env.log.error('the member could not give up all that it held', { error });
    }
  }
}

/** @throws StartError BAD_OPTION: keys that cannot be used; surroundings that know no signed tokens. */
async function tokensOf(
  { authToken }: ResolvedOptions,
  { openTokens }: Env,
): Promise<SignedTokens | undefined> {
  const settings = parseTokenOption(authToken);
  if (settings === 'simple') return undefined;
  if (openTokens === undefined) {
    throw new StartError('BAD_OPTION', `nothing here signs tokens, authToken is '${authToken}'`);
  }
  return openTokens(settings);
}

/** @throws StartError BAD_OPTION: no collector can have this address; surroundings that send no traces. */
async function traceCalls(
  options: ResolvedOptions,
  { openTracer }: Env,
  metrics: NodeMetrics,
): Promise<void> {
  if (!options.enableDistributedTracing) return;
  if (openTracer === undefined) {
    throw new StartError(
      'BAD_OPTION',
      'nothing here sends traces, enableDistributedTracing is true',
    );
  }
  metrics.calls.traceCalls(await openTracer(options));
}
