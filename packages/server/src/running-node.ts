/**
 * A node that runs: everything recovered, composed and connected. `EtcdNode` is its public face.
 *
 * What always holds
 * - It starts whole or not at all: what a failed start has opened is closed again.
 * - Whatever fails it for good (disk, database, broken invariant) ends it once, and says why.
 * - After `stop` or `kill` has settled, either way, nothing of it is left: no timer, socket, lock or file handle.
 */
import { type ClusterId, type Deferred, deferred, endAll, type MemberId } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { ConfigChange, NodeId } from '@etcd-ts/raft';
import { CommandCodec } from './apply/command-codec.ts';
import type { Command, CommandResult } from './apply/command.ts';
import type { ReplicatedState } from './apply/replicated-state.ts';
import type { SignedTokens } from './auth/token-provider.ts';
import type { Clock } from './clock.ts';
import type { Consensus, ConsensusStatus, FollowerProgress } from './consensus/consensus.ts';
import { createEngine, type Engine } from './consensus/engine.ts';
import type { ClientListener, Env } from './env.ts';
import { leaderNews } from './leader-news.ts';
import { limitsOf, type ServerLimits } from './limits.ts';
import type { Logger } from './logger.ts';
import { meteredTransport } from './metrics/metered-ports.ts';
import type { NodeMetrics } from './metrics/node-metrics.ts';
import type { NodePort, NodeStatus } from './node-port.ts';
import type { ResolvedOptions } from './options.ts';
import { PeerDesk } from './peers/peer-desk.ts';
import type { PeerTransport } from './peers/peer-transport.ts';
import { attributesOf, publishMember } from './publish.ts';
import { ConfigChanges } from './requests/config-changes.ts';
import { Deadlines } from './requests/deadlines.ts';
import { Proposals } from './requests/proposals.ts';
import { ReadBarrier } from './requests/read-barrier.ts';
import { Tokens } from './requests/tokens.ts';
import { initialCheck } from './services/corruption/initial-check.ts';
import { type ServiceParts, Services } from './services/services.ts';
import { ETCD_VERSION } from './services/version.ts';
import { VersionMonitor, versionRefusal } from './services/version-monitor.ts';
import { StartError } from './start-error.ts';
import { StateHost } from './state/state-host.ts';
import type { Storage } from './bootstrap/storage.ts';

/** What a node tells whoever runs it. */
export interface NodeEvents {
  /** Role, term or known leader changed. */
  readonly statusChanged: (status: NodeStatus) => void;
  /** It ended by itself. */
  readonly failed: (reason: Error) => void;
}

/** What a running node is made of. */
export interface RunningNodeParts {
  readonly options: ResolvedOptions;
  readonly env: Env;
  readonly storage: Storage;
  readonly transport: PeerTransport;
  /** Undefined: tokens are simple ones. */
  readonly signedTokens?: SignedTokens | undefined;
  readonly metrics: NodeMetrics;
  readonly events: NodeEvents;
}

/** Longest that stopping waits for calls that are still running, in milliseconds. */
export const STOP_GRACE_MS = 1_000;

/** Longest that a stopping leader waits for its successor, in election timeouts. */
const HAND_OVER_ELECTION_TIMEOUTS = 1;

/** A node after its recovery. */
export class RunningNode implements NodePort {
  readonly memberId: MemberId;
  readonly clusterId: ClusterId;
  readonly serverVersion: string;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: NodeMetrics;
  readonly state: ReplicatedState;
  readonly services: Services;
  /** Resolves when the member has published itself through the log; rejects when the node ends before. */
  readonly published: Promise<void>;
  readonly #parts: RunningNodeParts;
  readonly #engine: Engine;
  readonly #consensus: Consensus;
  readonly #host: StateHost;
  readonly #desk: PeerDesk;
  readonly #deadlines: Deadlines;
  readonly #proposals: Proposals;
  readonly #reads: ReadBarrier;
  readonly #changes: ConfigChanges;
  readonly #listeners = new Set<(status: NodeStatus) => void>();
  readonly #ending = new AbortController();
  readonly #started: Deferred<void> = deferred();
  readonly #versions: VersionMonitor;
  #described: { readonly of: ConsensusStatus; readonly as: NodeStatus } | undefined;
  #doors: ClientListener | undefined;
  #isRemoved = false;
  #failure: Error | undefined;
  #leader: MemberId = 0n as MemberId;

  private constructor(parts: RunningNodeParts) {
    const { env, metrics, options, storage, transport } = parts;
    const { clusterId, memberId, state } = storage;
    this.#parts = parts;
    this.memberId = memberId;
    this.clusterId = clusterId;
    this.serverVersion = env.serverVersion ?? ETCD_VERSION;
    this.limits = limitsOf(options);
    this.clock = env.clock;
    this.log = env.log;
    this.metrics = metrics;
    this.state = state;
    this.#engine = createEngine({ env, options, storage, transport });
    const consensus = this.#engine.consensus;
    this.#consensus = consensus;
    const codec = new CommandCodec(memberId, env.random);
    const deadlines = new Deadlines(env.clock);
    this.#deadlines = deadlines;
    const appliedIndex = (): number => state.appliedIndex;
    const shared = {
      consensus,
      codec,
      deadlines,
      tokens: new Tokens(),
      limits: this.limits,
      appliedIndex,
    };
    this.#proposals = new Proposals({ ...shared, failed: () => metrics.proposalFailed() });
    this.#reads = new ReadBarrier({
      ...shared,
      failed: () => metrics.readIndexFailed(),
      askedAgain: () => metrics.readIndexAskedAgain(),
    });
    this.#changes = new ConfigChanges(shared);
    this.#host = new StateHost({
      state,
      databases: storage.databases,
      consensus,
      codec,
      proposals: this.#proposals,
      reads: this.#reads,
      changes: this.#changes,
      clock: env.clock,
      log: env.log,
      metrics,
      options,
      statusChanged: (status) => this.#statusChanged(status),
      membersChanged: () => this.#membersChanged(),
      stopped: (reason) => this.#failed(reason),
    });
    this.services = new Services(this, servicePartsOf(parts));
    this.#versions = new VersionMonitor(this, options.downgradeCheckTimeMs);
    const checkVersion = (): void => this.#checkVersion();
    state.observe({ versionsChanged: checkVersion, replaced: checkVersion });
    this.#desk = new PeerDesk({
      node: this,
      engine: this.#engine,
      services: this.services,
      transport,
      takeSnapshot: () => this.#host.takeSnapshot(),
      removed: () => this.#removed(),
    });
    this.published = this.#started.promise.then(() =>
      publishMember(this, attributesOf(options, this.clientUrls), this.#ending.signal),
    );
    this.published.catch(() => undefined);
  }

  /**
   * Connects a recovered node with its peers and its clients.
   *
   * @throws StartError LISTEN_FAILED, CORRUPT_DATA; nothing stays open then but what was handed in.
   */
  static async start(given: RunningNodeParts): Promise<RunningNode> {
    const { env, metrics, options } = given;
    const { clock } = env;
    const { heartbeatIntervalMs } = options;
    const transport = meteredTransport(given.transport, { metrics, clock, heartbeatIntervalMs });
    const parts = { ...given, transport };
    const node = new RunningNode(parts);
    metrics.pendingProposals = () => node.#proposals.count;
    try {
      node.#membersChanged();
      const { memberId: id, clusterId } = node;
      await transport.start({ id, clusterId, peerUrls: () => node.#peerUrls() }, node.#desk);
      if (options.initialCorruptCheck) {
        await initialCheck(node, node.services.corruption.hashes, node.#ending.signal);
      }
      node.#doors = await env.listen(options, { handlers: node.services.handlers, node });
      // Nobody was there yet to hear of it.
      if (node.#failure !== undefined) throw node.#failure;
    } catch (error) {
      node.#endRequests();
      await Promise.allSettled([transport.close(), node.#doors?.close(0)]);
      throw node.#failure ?? error;
    }
    node.#consensus.start(node.#host);
    node.#started.resolve();
    if (node.#isLoneVoter()) node.#consensus.campaign();
    return node;
  }

  /** Where clients reach it over the network; empty without listeners. */
  get clientUrls(): readonly string[] {
    return this.#doors?.urls ?? [];
  }

  /** Where monitors reach it besides. */
  get metricsUrls(): readonly string[] {
    return this.#doors?.metricsUrls ?? [];
  }

  status(): NodeStatus {
    const status = this.#consensus.status();
    const { appliedIndex } = this.state;
    // Asked for with every answer: made anew only when something has changed.
    if (this.#described?.of !== status || this.#described.as.appliedIndex !== appliedIndex) {
      this.#described = { of: status, as: this.#describe(status) };
    }
    return this.#described.as;
  }

  /** Followers' progress as their leader knows it; empty elsewhere. */
  progress(): readonly FollowerProgress[] {
    return this.#consensus.progress();
  }

  propose(
    command: Command,
    options: { raw?: Uint8Array; signal?: AbortSignal } = {},
  ): Promise<CommandResult> {
    return this.#proposals.propose(command, options.raw, options.signal);
  }

  readBarrier(signal?: AbortSignal): Promise<void> {
    return this.#reads.wait(signal);
  }

  changeMembers(change: ConfigChange, signal?: AbortSignal): Promise<void> {
    return this.#changes.change(change, signal);
  }

  transferLeadership(target: NodeId, signal?: AbortSignal): Promise<void> {
    return this.#changes.transfer(target, signal);
  }

  connectedSinceMs(member: MemberId): number | undefined {
    return this.#parts.transport.connectedSinceMs(member);
  }

  async callLeader(method: string, request: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const { leader, isLeader } = this.status();
    if (isLeader) return this.services.answerMember(method, request, signal);
    if (leader === 0n) throw new EtcdError('NO_LEADER');
    return this.#desk.ask(leader, method, request, signal);
  }

  callMember(
    member: MemberId,
    method: string,
    request: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    return this.#desk.ask(member, method, request, signal);
  }

  onStatusChange(listener: (status: NodeStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  halt(reason: Error): void {
    this.#failed(reason);
  }

  /**
   * Ends in order: clients first, then leadership, then the rest; everything applied is in the database then.
   *
   * @throws What could not be closed as it should be: the log, when its disk has failed.
   */
  stop(): Promise<void> {
    return endAll(
      () => this.#doors?.close(STOP_GRACE_MS),
      () => this.#handOver(),
      () => this.#endRequests(),
      () => this.#host.flusher.flush(),
      () => this.#consensus.kill(),
      () => this.#close(),
    );
  }

  /** Ends at once, as if the process were killed: nothing more is written. */
  async kill(): Promise<void> {
    this.#consensus.kill();
    const revoked = this.#parts.storage.revoke();
    this.#endRequests();
    await endAll(
      () => revoked,
      () => this.#close(),
      () => this.#doors?.close(0),
    );
  }

  #close(): Promise<void> {
    const { storage, transport } = this.#parts;
    return endAll(
      () => this.#host.flusher.end(),
      () => transport.close(),
      () => storage.close(),
    );
  }

  /** Ends what callers wait for. */
  #endRequests(): void {
    const stopped = new EtcdError('STOPPED', { mayHaveApplied: false });
    this.#ending.abort(stopped);
    this.#started.reject(stopped);
    this.#versions.stop();
    this.services.stop();
    this.#proposals.stop();
    this.#reads.stop();
    this.#changes.stop();
    this.#deadlines.clear();
  }

  /** A leader leaves the lead to the member that is furthest, so that the cluster need not miss it first. */
  async #handOver(): Promise<void> {
    if (!this.status().isLeader) return;
    const { voters } = this.state.confState;
    const successors = this.progress()
      .filter(({ id, active }) => active && id !== this.memberId && voters.includes(id))
      .filter(({ id }) => this.connectedSinceMs(id as MemberId) !== undefined)
      .sort((a, b) => b.matchIndex - a.matchIndex);
    const [best] = successors;
    const fields = { 'local-member-id': this.memberId, transferee: best?.id };
    if (best === undefined) {
      const isLone = voters.length === 1;
      const why = isLone ? 'for single voting member cluster' : 'because no other member is there';
      this.log.info(`skipped leadership transfer ${why}`, fields);
      return;
    }
    this.log.info('leadership transfer starting', fields);
    const patience = new AbortController();
    const patienceMs = HAND_OVER_ELECTION_TIMEOUTS * this.#parts.options.electionTimeoutMs;
    const timer = this.clock.after(patienceMs, () => patience.abort());
    try {
      await this.transferLeadership(best.id, patience.signal);
      this.log.info('leadership transfer finished', fields);
    } catch (error) {
      this.log.warn('leadership transfer failed', { ...fields, error });
    } finally {
      timer.cancel();
    }
  }

  #isLoneVoter(): boolean {
    const { voters } = this.state.confState;
    return voters.length === 1 && voters[0] === this.memberId;
  }

  #describe(status: ConsensusStatus): NodeStatus {
    const { leader, role, term, committedIndex } = status;
    return {
      leader: leader as MemberId,
      isLeader: role === 'leader',
      isLearner: this.state.confState.learners.includes(this.memberId),
      term,
      committedIndex,
      appliedIndex: this.state.appliedIndex,
    };
  }

  #statusChanged(status: ConsensusStatus): void {
    const described = this.#describe(status);
    const news = leaderNews(this.memberId, this.#leader, described);
    if (news !== undefined) this.log.info(news);
    if (described.leader !== 0n && described.leader !== this.#leader)
      this.metrics.leaderChanges += 1;
    this.#leader = described.leader;
    for (const listener of this.#listeners) listener(described);
    this.#parts.events.statusChanged(described);
  }

  /** Where it is reached: as the cluster knows it, and as it was told itself. */
  #peerUrls(): readonly string[] {
    const known = this.state.membership.get(this.memberId)?.peerUrls ?? [];
    return [...new Set([...known, ...this.#parts.options.initialAdvertisePeerUrls])];
  }

  #membersChanged(): void {
    const { membership } = this.state;
    const { transport, storage } = this.#parts;
    const others = membership.members().filter(({ id }) => id !== this.memberId);
    const known = others.length > 0 || membership.get(this.memberId) !== undefined;
    const peers = others.map(({ id, peerUrls }) => ({ id: id as MemberId, urls: peerUrls }));
    // A member that joins knows its peers from them until the log or a snapshot tells.
    transport.setPeers(known ? peers : storage.firstPeers);
    transport.setRemoved(new Set(membership.removedIds()));
    if (membership.wasRemoved(this.memberId)) this.#removed();
  }

  /** What the state says now may be too new for this program. */
  #checkVersion(): void {
    const refusal = versionRefusal(this.serverVersion, this.state);
    if (refusal !== undefined) this.#failed(refusal);
  }

  /** Ends the node a little later: its last messages tell the others that it knows. */
  #removed(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    const message = 'the member has been permanently removed from the cluster';
    this.clock.after(this.#parts.options.electionTimeoutMs, () =>
      this.#failed(new StartError('REMOVED', message)),
    );
  }

  #failed(reason: Error): void {
    if (this.#ending.signal.aborted) return;
    this.#failure = reason;
    this.log.error('the member stopped', { error: reason });
    this.#consensus.kill();
    this.#endRequests();
    this.#parts.events.failed(reason);
  }
}

function servicePartsOf({ env, options, signedTokens }: RunningNodeParts): ServiceParts {
  const { authTokenTtlSeconds, compactHashCheck, compactHashCheckTimeMs, corruptCheckTimeMs } =
    options;
  return {
    random: env.random,
    newSha256: env.newSha256,
    hasher: env.hasher,
    signedTokens,
    simpleTokenTtlMs: authTokenTtlSeconds * 1_000,
    checks: {
      corruptCheckTimeMs,
      compactHashCheckTimeMs: compactHashCheck ? compactHashCheckTimeMs : 0,
    },
    retention: options.retention,
    stopGrpcServiceOnDefrag: options.stopGrpcServiceOnDefrag,
  };
}
