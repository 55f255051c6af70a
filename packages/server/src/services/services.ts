/** All services of a node, as the listeners and the other members call them, and what works for them unseen. */
import { mergeObjects } from '@etcd-ts/base';
import type { Handlers } from '@etcd-ts/protocol';
import type { PasswordHasher } from '../auth/password-hasher.ts';
import type { Random } from '../clock.ts';
import type { NodePort } from '../node-port.ts';
import { authHandlers } from './auth/auth.ts';
import { Identity, type TokenParts } from './auth/identity.ts';
import { clusterHandlers } from './cluster.ts';
import { electionHandlers } from './concurrency/election.ts';
import { lockHandlers } from './concurrency/lock.ts';
import type { Retention } from '../options/compaction-options.ts';
import { AutoCompactor } from './auto-compactor.ts';
import { haltingWhenBroken } from './broken-invariants.ts';
import { CompactionDriver } from './compaction-driver.ts';
import { healthHandlers } from './health.ts';
import { guarded } from './guards.ts';
import { kvHandlers } from './kv.ts';
import { LeaderMethods } from './leader-methods.ts';
import { leaseHandlers } from './lease.ts';
import { LeaseIds } from './lease-ids.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { type Around, maintenanceHandlers } from './maintenance.ts';
import { reflectionHandlers } from './reflection.ts';
import { QuotaGuard } from './quota-guard.ts';
import { type CorruptionChecks, CorruptionMonitor } from './corruption/corruption-monitor.ts';
import { MEMBER_HASH } from './corruption/member-hashes.ts';
import { watchedForSlowness } from './slow-requests.ts';
import { CatchUp } from './watch/catch-up.ts';
import { ServingState } from './serving-state.ts';
import { answerVersion, MEMBER_VERSION } from './version-monitor.ts';
import type { Sha256Digest } from './sha256.ts';
import { watchHandlers } from './watch/watch.ts';

/** What the services need of a node's surroundings. */
export interface ServiceParts extends TokenParts {
  readonly random: Random;
  /** See `Env.newSha256`. */
  readonly newSha256?: (() => Sha256Digest) | undefined;
  /** Without it users with a password can be neither added nor logged in. */
  readonly hasher?: PasswordHasher | undefined;
  /** How often the members' data is compared; never where nothing is said. */
  readonly checks?: CorruptionChecks | undefined;
  /** The history that is kept; all of it where nothing is said. */
  readonly retention?: Retention | undefined;
  /** Whether the server says that it does not serve while it defragments. */
  readonly stopGrpcServiceOnDefrag?: boolean | undefined;
}

/** What a node serves, and what works for its services behind the scenes. */
export class Services {
  /** For the listeners. */
  readonly handlers: Handlers;
  readonly corruption: CorruptionMonitor;
  readonly #node: NodePort;
  readonly #leader: LeaderMethods;
  readonly #identity: Identity;
  readonly #keeper: LeaseKeeper;
  readonly #compaction: CompactionDriver;
  readonly #autoCompactor: AutoCompactor | undefined;
  readonly #catchUp: CatchUp;

  /** Begins at once: leases are watched over, an unfinished compaction goes on. */
  constructor(
    node: NodePort,
    {
      random,
      hasher,
      newSha256,
      checks,
      retention,
      stopGrpcServiceOnDefrag,
      ...tokens
    }: ServiceParts,
  ) {
    this.#node = node;
    this.corruption = new CorruptionMonitor(node, checks);
    const serving = new ServingState(node.log);
    const whileDefragmenting: Around = (work) =>
      stopGrpcServiceOnDefrag === true ? serving.paused(work) : work();
    const quota = new QuotaGuard(node);
    this.#compaction = new CompactionDriver(node);
    if (retention !== undefined) this.#autoCompactor = new AutoCompactor(node, retention);
    this.#catchUp = new CatchUp(node);
    this.#keeper = new LeaseKeeper(node);
    this.#leader = new LeaderMethods(node);
    const ids = new LeaseIds(node.memberId, node.clock);
    const identity = new Identity(node, tokens);
    this.#identity = identity;
    const kv = kvHandlers({ node, quota, compaction: this.#compaction, identity });
    const { catchUp, keeper, leader } = {
      catchUp: this.#catchUp,
      keeper: this.#keeper,
      leader: this.#leader,
    };
    const lease = leaseHandlers({ node, quota, keeper, ids, leader, identity });
    const basics = mergeObjects(kv, lease);
    const recipes = { node, catchUp: this.#catchUp, handlers: basics };
    const etcd = mergeObjects(
      basics,
      watchHandlers(node, catchUp, identity),
      clusterHandlers(node, this.#leader),
      maintenanceHandlers(node, quota, { whileDefragmenting, newSha256 }),
      lockHandlers(recipes),
      electionHandlers(recipes),
      authHandlers({ node, identity, hasher, random }),
    );
    const watched = watchedForSlowness(node, guarded(node, identity, etcd));
    const all = mergeObjects(watched, reflectionHandlers(), healthHandlers(serving));
    this.handlers = haltingWhenBroken(node, all);
  }

  /** Answers what another member asks of this one: as the leader ({@link LeaderMethods.answer}), or for its data. */
  answerMember(method: string, request: Uint8Array, _signal?: AbortSignal): Promise<Uint8Array> {
    if (method === MEMBER_VERSION) return answerVersion(this.#node);
    if (method === MEMBER_HASH) return this.corruption.hashes.answer(request);
    return this.#leader.answer(method, request);
  }

  /** Ends what works behind the scenes. Streams end when their listeners do. */
  stop(): void {
    this.#identity.stop();
    this.corruption.stop();
    this.#keeper.stop();
    this.#autoCompactor?.stop();
    this.#compaction.stop();
    this.#catchUp.stop();
  }
}
