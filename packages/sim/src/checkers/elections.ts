/**
 * Elections end (LV2). Nobody stands again once somebody leads, as long as nothing goes wrong: before the first fault, and
 * when all is well again.
 */
import { Findings, type Violation } from './violation.ts';

/** What elections are judged by. */
export interface ElectionEvidence {
  /** The terms in which anybody stood or led, and since when. */
  readonly elections: ReadonlyMap<number, number>;
  /** When the first leader was elected; undefined: none was. */
  readonly firstLeaderUs: number | undefined;
  /** When the first thing goes wrong; 0: from the beginning, Infinity: never. */
  readonly firstFaultUs: number;
  readonly electionTimeoutUs: number;
  /** Since when all is well; undefined: it never was. */
  readonly calmSinceUs: number | undefined;
  /** Whether a leadership may end though all is well, for what was begun before: a transfer, say. */
  readonly mayEndOnce: boolean;
}

/** By then whoever stood beside the first leader has lost, or taken its place: so many election timeouts. */
const CONTEST_TIMEOUTS = 4;

/** Judges the elections of a run. */
export function checkElections(evidence: ElectionEvidence): readonly Violation[] {
  const findings = new Findings();
  const { firstLeaderUs = Infinity, firstFaultUs, electionTimeoutUs } = evidence;
  const ledUs = firstLeaderUs + CONTEST_TIMEOUTS * electionTimeoutUs;
  const [early] = electionsIn(evidence, ledUs, firstFaultUs);
  if (early !== undefined) {
    const [term, atUs] = early;
    const since = `somebody had led since ${firstLeaderUs} us and nothing had gone wrong`;
    findings.add('LV2', `term ${term} began at ${atUs} us, when ${since}`, [], atUs);
  }
  const { calmSinceUs = Infinity, mayEndOnce } = evidence;
  const late = electionsIn(evidence, calmSinceUs, Infinity);
  const excess = late[mayEndOnce ? 1 : 0];
  if (excess !== undefined) {
    const terms = late.map(([term]) => term).join(', ');
    findings.add('LV2', `terms ${terms} began since all was well`, [], excess[1]);
  }
  return findings.violations;
}

/** Those that began after the one time and before the other, in their order. */
function electionsIn(
  { elections }: ElectionEvidence,
  afterUs: number,
  beforeUs: number,
): readonly (readonly [term: number, atUs: number])[] {
  const those = [...elections].filter(([, atUs]) => atUs > afterUs && atUs < beforeUs);
  return those.sort(([, a], [, b]) => a - b);
}
