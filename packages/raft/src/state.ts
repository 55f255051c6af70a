/**
 * Everything that a core knows: one value, which can be copied, plus the outbox of the call in progress.
 *
 * The steps (step-*.ts and what they call) change it; they share no other state. Invariants over the whole
 * of it are in invariants.ts.
 */
import { EMPTY_CONF, membersOf } from './conf-change.ts';
import type { ResolvedConfig } from './config.ts';
import type { Role } from './effect.ts';
import {
  type ConfState,
  type ConfigPayload,
  type CommandPayload,
  type HardState,
  type LogIndex,
  NO_NODE,
  type NodeId,
  type SnapshotMeta,
  type Term,
  type Token,
} from './entry.ts';
import type { RaftLog } from './log.ts';
import { OutcomeTracker } from './outcomes.ts';
import { Outbox } from './outbox.ts';
import { PersistQueue } from './persist-queue.ts';
import { mix, Prng } from './prng.ts';
import { Progress } from './progress.ts';
import { ReadQueue } from './read-queue.ts';
import { EPOCHS, REQUESTS_PER_EPOCH, RequestTable, type SeenRequests } from './requests.ts';
import type { TraceSink } from './trace.ts';

/** A request to hand over leadership that is not decided (thesis §3.10). */
export interface PendingTransfer {
  readonly token: Token;
  readonly target: NodeId;
  /** The tick at which it has taken too long. */
  readonly deadlineTick: number;
}

/** A proposal or change that a follower is about to hand to its leader. */
export interface FreshForward {
  readonly token: Token;
  readonly payload: CommandPayload | ConfigPayload;
}

/** A proposal or change on its way to the leader. */
export interface SentForward {
  readonly token: Token;
  readonly bytes: number;
}

/** The state of one node. */
export class RaftState {
  readonly config: ResolvedConfig;
  readonly id: NodeId;
  trace: TraceSink | undefined;

  /** The hard state of the moment; the disk may trail it. Invariant: `term` never decreases. */
  term: Term = 0;
  vote: NodeId = NO_NODE;
  role: Role = 'follower';
  leader: NodeId = NO_NODE;

  log: RaftLog;
  /** The newest durable snapshot, from which peers that are too far behind are served. */
  snapshot: SnapshotMeta;
  /** A received snapshot that is not yet durable and installed. */
  installing: SnapshotMeta | undefined;
  /** A persist effect has carried the snapshot that is being installed. */
  isInstallingHanded = false;
  persists: PersistQueue = new PersistQueue();

  /** The configuration in force: of the last applied change. */
  conf: ConfState = EMPTY_CONF;
  /** What is known of each member, this node included, ascending by id. Meaningful while leader. */
  peers: Progress[] = [];
  /** The voters of each half, as progress. */
  incoming: Progress[] = [];
  outgoing: Progress[] = [];
  /** A leader takes no membership change before this index is applied. */
  pendingConfigIndex: LogIndex = 0;

  /** Ticks since the core was made. */
  tickCount = 0;
  /** Ticks since the last sign of a leader (follower), since the last check of the quorum (leader). */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** Ticks since a leader was heard last, or since this node led. */
  silentTicks = 0;
  /** Ticks after which a follower campaigns; drawn anew in each term. */
  electionTimeout = 0;
  /** Where reads trust leases: before this tick the node votes for nobody, since a leader counts on it. */
  promiseEndsTick = 0;
  prng: Prng;
  /** Answers to the election in progress. */
  votes: Map<NodeId, boolean> = new Map();

  reads: ReadQueue = new ReadQueue();
  /** When the newest read rounds were sent, by which a lease is measured: ascending, one for a tick. */
  leaseRounds: { readonly round: number; readonly tick: number }[] = [];
  /** Asking a node to campaign lets others vote against a living leader: no lease for the rest of the term. */
  isLeaseBroken = false;
  /** Follower: reads for which one request leaves when the step ends. */
  freshReads: Token[] = [];
  sentReads: RequestTable<readonly Token[]> = new RequestTable();
  sentReadCount = 0;

  freshForwards: FreshForward[] = [];
  forwards: RequestTable<SentForward> = new RequestTable();
  /** Bytes of proposals on their way to the leader. */
  forwardBytes = 0;
  /** Leader: what was taken from whom. */
  seenRequests: Map<NodeId, SeenRequests> = new Map();
  nextRequestId: number;

  outcomes: OutcomeTracker = new OutcomeTracker();
  /** To whom this leader hands over; {@link NO_NODE} for nobody. */
  transferTarget: NodeId = NO_NODE;
  /** Whom to tell to campaign when the step ends, behind the appends. */
  owesTimeoutNow: NodeId = NO_NODE;
  /** The request for a transfer, also after this node stepped down for it. */
  transfer: PendingTransfer | undefined;

  /** The term in which an append was accepted last. */
  acceptedTerm: Term = 0;
  /** Through here the log is known to be the leader's of that term; behind it there may be a tail of an older one. */
  acceptedIndex: LogIndex = 0;

  /** The oldest committed change of members of which no hard state on the disk knows, and the group that will tell of all. */
  gate: { readonly group: number; readonly index: LogIndex } | undefined;
  /** What the last persist and role effects said. */
  handedHard: HardState = { term: 0, vote: NO_NODE, commit: 0 };
  handedRole: { term: Term; role: Role; leader: NodeId } = {
    term: 0,
    role: 'follower',
    leader: NO_NODE,
  };
  haltReason: string | undefined;
  out: Outbox = new Outbox();

  constructor(config: ResolvedConfig, log: RaftLog, snapshot: SnapshotMeta) {
    this.config = config;
    this.id = config.id;
    this.log = log;
    this.snapshot = snapshot;
    this.prng = new Prng(config.seed);
    // Other draws than the timeouts': the same seed in another state gives other ids.
    const epoch = mix(mix(config.seed) ^ mix(log.lastIndex) ^ Math.imul(log.commit, 31)) % EPOCHS;
    this.nextRequestId = epoch * REQUESTS_PER_EPOCH + 1;
  }

  /** The progress of a member; undefined for a stranger. */
  peer(id: NodeId): Progress | undefined {
    for (const progress of this.peers) if (progress.id === id) return progress;
    return undefined;
  }

  /** Takes a configuration into force: known members keep their progress, new ones start at the log's end. */
  useConf(conf: ConfState, index: LogIndex): void {
    const { log, config } = this;
    this.conf = conf;
    this.peers = membersOf(conf).map((id) => {
      const isLearner = conf.learners.includes(id);
      const known = this.peer(id);
      if (known !== undefined) {
        known.isLearner = isLearner;
        return known;
      }
      const start = { next: Math.max(log.lastIndex, 1), session: index, isLearner };
      const progress = new Progress(id, start, config);
      // A newcomer counts as active: else the leader might step down before it has had time to answer.
      progress.isRecentlyActive = true;
      return progress;
    });
    this.incoming = this.peers.filter((peer) => conf.voters.includes(peer.id));
    this.outgoing = this.peers.filter((peer) => conf.votersOutgoing.includes(peer.id));
  }

  clone(): RaftState {
    const copy = new RaftState(this.config, this.log.clone(), this.snapshot);
    Object.assign(copy, this);
    copy.trace = undefined;
    copy.log = this.log.clone();
    copy.persists = this.persists.clone();
    copy.peers = this.peers.map((peer) => peer.clone());
    copy.incoming = copy.peers.filter((peer) => copy.conf.voters.includes(peer.id));
    copy.outgoing = copy.peers.filter((peer) => copy.conf.votersOutgoing.includes(peer.id));
    copy.prng = this.prng.clone();
    copy.votes = new Map(this.votes);
    copy.reads = this.reads.clone();
    copy.leaseRounds = [...this.leaseRounds];
    copy.freshReads = [...this.freshReads];
    copy.sentReads = this.sentReads.clone();
    copy.freshForwards = [...this.freshForwards];
    copy.forwards = this.forwards.clone();
    copy.seenRequests = new Map([...this.seenRequests].map(([id, seen]) => [id, seen.clone()]));
    copy.outcomes = this.outcomes.clone();
    copy.handedRole = { ...this.handedRole };
    copy.out = new Outbox();
    return copy;
  }
}
