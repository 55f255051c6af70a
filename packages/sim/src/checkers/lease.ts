/**
 * Leases (L1, L2, L5, L7). That an end deletes its keys (L3) the replay of the key-value history judges, which keys those
 * are (L6) `attachment.ts`.
 *
 * Time here is true time: a node's clock may go faster by at most the drift that the run allows, and a change of leader
 * may let an answer of the deposed leader stand for as long as that node did not know.
 */
import type { Operation } from '../history/operation.ts';
import { responseRevision } from '../history/operation.ts';
import { nameOf } from './strict-serializability.ts';
import { Findings, type Violation } from './violation.ts';

/** How a lease ended. */
export interface LeaseEnding {
  readonly leaseId: bigint;
  /** By its time running out; otherwise a client revoked it. */
  readonly expired: boolean;
  /** When the command that ended it was first applied anywhere. */
  readonly atUs: number;
  /** The store's revision after it. */
  readonly revision: number;
  /** Those that went with it, ascending; with any, the revision is its own. */
  readonly keys: readonly string[];
}

/** A lease that is there at the end. */
export interface LeaseLeft {
  readonly leaseId: bigint;
  readonly ttlSeconds: number;
  /** When the command that granted it was first applied anywhere. */
  readonly grantedUs: number;
}

/** What leases are judged by. */
export interface LeaseEvidence {
  readonly operations: readonly Operation[];
  readonly endings: readonly LeaseEnding[];
  readonly left: readonly LeaseLeft[];
  /** Largest drift of any node's clock, in parts per million. */
  readonly maxDriftPpm: number;
  /** Longest time for which a deposed leader may believe that it leads; also the extension at promotion. */
  readonly leaderOverlapUs: number;
  /** Since when no fault has been active and the cluster was able to expire leases; undefined: L2 is not judged. */
  readonly calmSinceUs?: number | undefined;
  /** When a leader last took up a keepalive from another member, whoever waited for its answer; 0: never. */
  readonly keepAlivePassedOnUs: number;
  /** When the run ended. */
  readonly endUs: number;
  /** Longest time between two looks for expired leases, and the time for one batch to commit. */
  readonly scanSlackUs: number;
}

interface LeaseStory {
  readonly grant: Operation;
  readonly ttlSeconds: number;
  /** Nobody asked for a lease of this id again. */
  readonly isGrantedOnce: boolean;
  /** Grants and keepalives that were answered with a positive time, by their invocation. */
  readonly renewals: Operation[];
}

/** Judges every lease of which the grant was answered. */
export function checkLeases(evidence: LeaseEvidence): readonly Violation[] {
  const findings = new Findings();
  const stories = tellStories(evidence.operations);
  const endings = new Map(evidence.endings.map((ending) => [ending.leaseId, ending]));
  for (const [id, story] of stories) {
    const ending = endings.get(id);
    if (ending !== undefined) checkEnding(evidence, story, ending, findings);
  }
  const attempts = attemptsOf(evidence);
  for (const lease of evidence.left) checkNotImmortal(evidence, lease, attempts, findings);
  checkRemaining(evidence, findings);
  checkTold(evidence, stories, findings);
  checkUnknownLeases(evidence, stories, findings);
  return findings.violations;
}

function tellStories(operations: readonly Operation[]): Map<bigint, LeaseStory> {
  const stories = new Map<bigint, LeaseStory>();
  const asked = new Map<bigint, number>();
  for (const { request } of operations) {
    if (request.kind === 'leaseGrant') asked.set(request.id, (asked.get(request.id) ?? 0) + 1);
  }
  for (const operation of operations) {
    const { outcome } = operation;
    if (outcome.kind !== 'ok' || outcome.response.kind !== 'leaseGrant') continue;
    stories.set(outcome.response.id, {
      grant: operation,
      ttlSeconds: outcome.response.ttlSeconds,
      isGrantedOnce: (asked.get(outcome.response.id) ?? 0) <= 1,
      renewals: [operation],
    });
  }
  for (const operation of operations) {
    if (operation.request.kind !== 'leaseKeepAlive') continue;
    const story = stories.get(operation.request.id);
    if (story === undefined) continue;
    const { outcome } = operation;
    if (outcome.kind !== 'ok' || outcome.response.kind !== 'leaseKeepAlive') continue;
    if (outcome.response.ttlSeconds > 0) story.renewals.push(operation);
  }
  return stories;
}

function checkEnding(
  evidence: LeaseEvidence,
  story: LeaseStory,
  ending: LeaseEnding,
  findings: Findings,
): void {
  for (const renewal of story.renewals) {
    if (ending.expired && renewal.returnedUs <= ending.atUs) {
      checkNotEarly(evidence, story, ending, renewal, findings);
    }
    if (renewal === story.grant) continue;
    // It proves that it leads before it looks, so that it has applied whatever was anywhere when it was asked.
    if (story.isGrantedOnce && renewal.invokedUs > ending.atUs) {
      findings.add(
        'L5',
        `${nameOf(renewal)} kept lease ${ending.leaseId} alive, ${renewal.invokedUs - ending.atUs} us after it had ended`,
        [renewal.id],
        renewal.returnedUs,
      );
      continue;
    }
    if (ending.keys.length === 0) continue;
    const revision = renewal.outcome.kind === 'ok' ? responseRevision(renewal.outcome.response) : 0;
    if (revision >= ending.revision) {
      findings.add(
        'L5',
        `${nameOf(renewal)} kept lease ${ending.leaseId} alive at revision ${revision}, but it had ` +
          `ended with revision ${ending.revision}`,
        [renewal.id],
        renewal.returnedUs,
      );
    }
  }
}

/** True time that a time to live takes at least, where no clock goes faster than by this drift. */
export function shortestLifeUs(ttlSeconds: number, maxDriftPpm: number): number {
  return Math.floor((ttlSeconds * 1_000_000 * 1_000_000) / (1_000_000 + maxDriftPpm));
}

function checkNotEarly(
  evidence: LeaseEvidence,
  story: LeaseStory,
  ending: LeaseEnding,
  renewal: Operation,
  findings: Findings,
): void {
  const shortestUs = shortestLifeUs(story.ttlSeconds, evidence.maxDriftPpm);
  const earliestUs = renewal.invokedUs + shortestUs - evidence.leaderOverlapUs;
  if (ending.atUs >= earliestUs) return;
  findings.add(
    'L1',
    `lease ${ending.leaseId} of ${story.ttlSeconds} s expired at ${ending.atUs} us, ` +
      `${ending.atUs - renewal.invokedUs} us after ${nameOf(renewal)} was asked and then answered`,
    [renewal.id],
    ending.atUs,
  );
}

/** By lease: the last moment at which a client's wish to keep it alive, answered or not, may have reached a leader. */
function attemptsOf({
  operations,
  keepAlivePassedOnUs,
}: LeaseEvidence): ReadonlyMap<bigint, number> {
  const attempts = new Map<bigint, number>();
  for (const { request, outcome, returnedUs } of operations) {
    if (request.kind !== 'leaseKeepAlive') continue;
    // A member takes up nothing of which the client has heard no more, but what it passed on before may arrive late.
    const isUnknown = outcome.kind === 'unknown';
    const atUs = isUnknown ? Math.max(returnedUs, keepAlivePassedOnUs) : returnedUs;
    attempts.set(request.id, Math.max(attempts.get(request.id) ?? 0, atUs));
  }
  return attempts;
}

function checkNotImmortal(
  evidence: LeaseEvidence,
  { leaseId, ttlSeconds, grantedUs }: LeaseLeft,
  attempts: ReadonlyMap<bigint, number>,
  findings: Findings,
): void {
  if (evidence.calmSinceUs === undefined) return;
  const lastUs = Math.max(grantedUs, attempts.get(leaseId) ?? 0);
  const fromUs = Math.max(evidence.calmSinceUs, lastUs);
  const lifeUs = Math.ceil(ttlSeconds * (1_000_000 + evidence.maxDriftPpm));
  const latestUs = fromUs + lifeUs + evidence.leaderOverlapUs + evidence.scanSlackUs;
  if (latestUs >= evidence.endUs) return;
  findings.add(
    'L2',
    `lease ${leaseId} of ${ttlSeconds} s is still there at ${evidence.endUs} us; nobody kept it ` +
      `alive since ${lastUs} us, and all was well since ${evidence.calmSinceUs} us`,
  );
}

function checkRemaining(evidence: LeaseEvidence, findings: Findings): void {
  const extensionSeconds = Math.ceil(evidence.leaderOverlapUs / 1_000_000);
  for (const operation of evidence.operations) {
    const { outcome } = operation;
    if (outcome.kind !== 'ok' || outcome.response.kind !== 'leaseTimeToLive') continue;
    const { ttlSeconds, grantedTtlSeconds } = outcome.response;
    if (ttlSeconds <= grantedTtlSeconds + extensionSeconds) continue;
    findings.add(
      'L7',
      `${nameOf(operation)} told ${ttlSeconds} s of a lease granted for ${grantedTtlSeconds} s`,
      [operation.id],
      operation.returnedUs,
    );
  }
}

/** L7, the other half: whoever asks is told the very time that was granted, and that is at least what was asked for. */
function checkTold(
  { operations }: LeaseEvidence,
  stories: ReadonlyMap<bigint, LeaseStory>,
  findings: Findings,
): void {
  for (const operation of operations) {
    const { request, outcome } = operation;
    if (outcome.kind !== 'ok') continue;
    const { response } = outcome;
    const granted = 'id' in request ? stories.get(request.id) : undefined;
    let [told, least] = [0, 0];
    if (request.kind === 'leaseGrant' && response.kind === 'leaseGrant') {
      if (response.ttlSeconds >= request.ttlSeconds) continue;
      [told, least] = [response.ttlSeconds, request.ttlSeconds];
    } else {
      if (granted === undefined || !granted.isGrantedOnce) continue;
      least = granted.ttlSeconds;
      if (response.kind === 'leaseKeepAlive') told = response.ttlSeconds;
      if (response.kind === 'leaseTimeToLive') told = response.grantedTtlSeconds;
      // There is no such lease any more.
      if (told === 0 || told === least) continue;
    }
    findings.add(
      'L7',
      `${nameOf(operation)} was told that the lease was granted for ${told} s, but it was for ${least} s`,
      [operation.id],
      operation.returnedUs,
    );
  }
}

/** L5, the other half: a lease that nobody asked for is never there. */
function checkUnknownLeases(
  evidence: LeaseEvidence,
  stories: ReadonlyMap<bigint, LeaseStory>,
  findings: Findings,
): void {
  const asked = new Map<bigint, number>();
  for (const operation of evidence.operations) {
    if (operation.request.kind === 'leaseGrant' && operation.outcome.kind !== 'failed') {
      const { id } = operation.request;
      asked.set(id, Math.min(asked.get(id) ?? Infinity, operation.invokedAt));
    }
  }
  for (const operation of evidence.operations) {
    const { request, outcome } = operation;
    if (request.kind !== 'leaseKeepAlive' || outcome.kind !== 'ok') continue;
    if (outcome.response.kind !== 'leaseKeepAlive' || outcome.response.ttlSeconds === 0) continue;
    const sinceAt = asked.get(request.id) ?? stories.get(request.id)?.grant.invokedAt;
    if (sinceAt !== undefined && sinceAt < operation.returnedAt) continue;
    findings.add(
      'L5',
      `${nameOf(operation)} kept lease ${request.id} alive, which nobody had asked for`,
      [operation.id],
      operation.returnedUs,
    );
  }
}
