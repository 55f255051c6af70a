/**
 * Changes the membership of a simulated cluster, as an operator does: asks, looks whether it happened, asks again.
 *
 * What always holds
 * - One change at a time, each carried through to its end, however long the faults make it take.
 * - A member that is out of the cluster does not run; one that comes back begins with an empty disk.
 */
import {
  AlarmAction,
  AlarmType,
  EtcdError,
  type Member,
  type MemberListResponse,
  type RequestOf,
  type ResponseOf,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import { AuthSwitch } from './auth-switch.ts';
import { drawChange } from './tenants.ts';
import type { SimCluster } from './sim-cluster.ts';
import type { SimMember } from './sim-member.ts';

const CALL_TIMEOUT_MS = 3_000;
const RETRY_MS = 300;

/** Carries out membership changes, in the order in which they are asked for. */
export class Operator {
  readonly #cluster: SimCluster;
  #last: Promise<void> = Promise.resolve();
  /** Taken out before their turn, and to join again. */
  readonly #waiting = new Set<SimMember>();
  /** What is under way or asked for. */
  readonly pending: string[] = [];
  readonly auth: AuthSwitch;
  /** Changes carried through, by kind. */
  readonly counts: {
    replaced: number;
    leadersReplaced: number;
    grown: number;
    shrunk: number;
    promoted: number;
  } = {
    replaced: 0,
    leadersReplaced: 0,
    grown: 0,
    shrunk: 0,
    promoted: 0,
  };

  /** @param halfRights Whether tenants are given the rights to read and to write apart. */
  constructor(cluster: SimCluster, halfRights = false) {
    this.#cluster = cluster;
    this.auth = new AuthSwitch({
      insist: (method, request, metadata) => this.insist(method, request, metadata),
      change: () => drawChange(cluster.world.random('tenants'), halfRights),
      sleep: () => this.#sleep(),
    });
  }

  /** True when no change is under way or asked for. */
  get isIdle(): boolean {
    return this.pending.length === 0;
  }

  /** Does something beside the changes of members. */
  aside(name: string, work: () => Promise<void>): Promise<void> {
    this.pending.push(name);
    return work().finally(() => this.#done(name));
  }

  #done(name: string): void {
    this.pending.splice(this.pending.indexOf(name), 1);
  }

  /** Asks one member after another until one has done it; undefined when it is refused. */
  async insist<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    metadata?: ReadonlyMap<string, string>,
  ): Promise<ResponseOf<Method> | undefined> {
    for (;;) {
      const running = this.#cluster.present.filter((each) => each.isRunning);
      if (running.length > 0) {
        const asked = this.#cluster.world.random('operator').pick(running);
        const channel = this.#cluster.connect('operator', asked);
        try {
          return await channel.unary(method, request, { timeoutMs: CALL_TIMEOUT_MS, metadata });
        } catch (error) {
          if (isRefusal(EtcdError.from(error).code)) return undefined;
        }
      }
      await this.#sleep();
    }
  }

  /**
   * Undoes what may have happened after it was undone: a command of which nobody heard may come into the log long after
   * the one that was to take it back.
   */
  async calmDown(): Promise<void> {
    const query = { action: AlarmAction.GET, memberID: 0n, alarm: AlarmType.NONE };
    const answer = await this.insist('etcdserverpb.Maintenance/Alarm', query);
    for (const { memberID, alarm } of answer?.alarms ?? []) {
      const off = { action: AlarmAction.DEACTIVATE, memberID, alarm };
      await this.insist('etcdserverpb.Maintenance/Alarm', off);
    }
    await this.auth.makeSureItIsOff();
  }

  /**
   * Takes a member's disk away for good, removes it, and lets it join again. Whoever is sound stays while another one's
   * disk has gone bad, or its database: nobody takes a second member out of a cluster that may be about to lose one.
   */
  replace(member: SimMember, asLearner: boolean): void {
    this.#enqueue(`replace ${member.number}`, async () => {
      if (!this.#waiting.delete(member)) {
        if (member.isRetired || this.#isNeeded(member)) return;
        if (member.node?.status().isLeader === true) this.counts.leadersReplaced++;
        await this.#takeOut(member);
      }
      await this.#join(member, asLearner);
      this.counts.replaced++;
    });
  }

  /** Lets a further machine join. Gives it. */
  grow(asLearner: boolean): SimMember {
    const member = this.#cluster.addMachine();
    this.#enqueue(`grow ${member.number}`, async () => {
      await this.#join(member, asLearner);
      this.counts.grown++;
    });
    return member;
  }

  /** Removes a member that runs; it learns of it and ends. */
  shrink(member: SimMember): void {
    this.#enqueue(`shrink ${member.number}`, async () => {
      if (member.isRetired) return;
      member.excuses++;
      await this.#remove(member);
      // It may have been taken out already, as one whose log was refused.
      if (this.#waiting.delete(member)) return;
      // Until the others know, they may need its vote to find out.
      while (!this.#isForgotten(member)) await this.#sleep();
      member.retire();
      this.counts.shrunk++;
    });
  }

  /** True when every other member has applied the removal, but for those that will never run with what they know. */
  #isForgotten(member: SimMember): boolean {
    return this.#cluster.present.every((other) => {
      if (other === member || other.isCondemned) return true;
      const known = other.state?.membership.members();
      return known?.every(({ peerUrls }) => !peerUrls.includes(member.peerUrl)) === true;
    });
  }

  /** A member that will never run again is of no use to anybody, whatever befalls the others. */
  #isNeeded(member: SimMember): boolean {
    if (member.isCondemned) return false;
    return this.#cluster.present.some((other) => other !== member && other.needsTheOthers);
  }

  /** Out of service, out of the cluster, and with an empty disk. */
  async #takeOut(member: SimMember): Promise<void> {
    member.retire();
    await this.#remove(member);
    // One that has not heard of it yet would take the empty disk for the member that it knew, and count its vote.
    while (!this.#isForgotten(member)) await this.#sleep();
    member.wipe();
  }

  /** Nobody is let in while a member is down for good: it goes first, and joins again when its turn comes. */
  async #takeOutCondemned(): Promise<void> {
    const condemned = this.#cluster.present.filter((member) => member.isCondemned);
    for (const member of condemned) {
      await this.#takeOut(member);
      this.#waiting.add(member);
    }
  }

  #enqueue(name: string, change: () => Promise<void>): void {
    this.pending.push(name);
    this.#last = this.#last.then(change).finally(() => this.#done(name));
  }

  async #remove(member: SimMember): Promise<void> {
    await this.#until(
      member,
      (listed) => listed === undefined,
      (listed) => ['etcdserverpb.Cluster/MemberRemove', { ID: listed?.ID ?? 0n }],
    );
  }

  async #join(member: SimMember, asLearner: boolean): Promise<void> {
    const request = { peerURLs: [member.peerUrl], isLearner: asLearner };
    await this.#until(
      member,
      (listed) => listed !== undefined,
      () => ['etcdserverpb.Cluster/MemberAdd', request],
    );
    member.rejoin();
    if (!asLearner) return;
    await this.#until(
      member,
      (listed) => listed?.isLearner === false,
      (listed) => ['etcdserverpb.Cluster/MemberPromote', { ID: listed?.ID ?? 0n }],
    );
    this.counts.promoted++;
  }

  /** Asks until the members say that it is so. */
  async #until(
    member: SimMember,
    isDone: (listed: Member | undefined) => boolean,
    ask: (listed: Member | undefined) => ChangeCall,
  ): Promise<void> {
    for (;;) {
      await this.#takeOutCondemned();
      const list = await this.#list(member, true);
      if (list !== undefined) {
        const listed = find(list, member);
        if (isDone(listed)) return;
        const [method, request] = ask(listed);
        // An answer is as good as a look.
        if ((await this.#call(member, method, request)) !== undefined) return;
      } else if (await this.#isLetInByALoneMember(member, isDone)) return;
      await this.#sleep();
    }
  }

  /**
   * A lone member that takes in a second is not served any more until that one runs: whoever has not heard its answer can
   * only look at its own list. What that one has is there for good, while what it lacks may lag behind.
   */
  async #isLetInByALoneMember(
    member: SimMember,
    isDone: (listed: Member | undefined) => boolean,
  ): Promise<boolean> {
    const list = await this.#list(member, false);
    const listed = list === undefined ? undefined : find(list, member);
    return list?.members.length === 2 && listed !== undefined && isDone(listed);
  }

  #list(about: SimMember, linearizable: boolean): Promise<MemberListResponse | undefined> {
    return this.#call(about, 'etcdserverpb.Cluster/MemberList', { linearizable });
  }

  /** Asks some member other than the one that it is about; undefined when that fails, for whatever reason. */
  async #call<Method extends UnaryMethodName>(
    about: SimMember,
    method: Method,
    request: RequestOf<Method>,
  ): Promise<ResponseOf<Method> | undefined> {
    const running = this.#cluster.members.filter((each) => each !== about && each.isRunning);
    const others = running.length > 0 ? running : [about];
    const asked = this.#cluster.world.random('operator').pick(others);
    const channel = this.#cluster.connect('operator', asked);
    try {
      return await channel.unary(method, request, { timeoutMs: CALL_TIMEOUT_MS });
    } catch (error) {
      // Turned on by a command that came into the log after the one that took it back, it would keep him out for ever.
      if (EtcdError.from(error).code === 'USER_EMPTY') await this.auth.turnOffUnlessWished();
      return undefined;
    }
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.#cluster.clientProcess('operator').schedule(RETRY_MS * 1000, 'sleep', resolve);
    });
  }
}

function find(list: MemberListResponse, member: SimMember): Member | undefined {
  return list.members.find((each) => each.peerURLs.includes(member.peerUrl));
}

/** What another member, or a later time, would say as well. */
const REFUSALS: ReadonlySet<string> = new Set([
  'USER_ALREADY_EXIST',
  'ROLE_ALREADY_EXIST',
  'AUTH_NOT_ENABLED',
  'INVALID_AUTH_TOKEN',
  'USER_EMPTY',
  'PERMISSION_DENIED',
  'AUTH_FAILED',
  'USER_NOT_FOUND',
  'ROLE_NOT_FOUND',
  'ROLE_NOT_GRANTED',
  'PERMISSION_NOT_GRANTED',
]);

function isRefusal(code: string): boolean {
  return REFUSALS.has(code);
}

type ChangeCall =
  | readonly ['etcdserverpb.Cluster/MemberRemove', { ID: bigint }]
  | readonly ['etcdserverpb.Cluster/MemberPromote', { ID: bigint }]
  | readonly ['etcdserverpb.Cluster/MemberAdd', { peerURLs: string[]; isLearner: boolean }];
