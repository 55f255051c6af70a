/** What is told and kept of a run that went wrong. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { INVARIANTS, type Violation } from '../checkers/violation.ts';
import type { RunResult } from '../cluster/run-plan.ts';
import { formatPlan, type Plan } from '../plan/plan.ts';

/** The first violation in words, with what is needed to see it again. */
export function describeFailure(result: RunResult, planFile: string): string {
  const { plan, violations } = result;
  const [first] = violations;
  if (first === undefined) return `seed ${plan.seed}: no violation`;
  const lines = [
    `seed ${plan.seed} (${plan.profile}, ${plan.members} members) violates ${first.invariant}: ${INVARIANTS[first.invariant]}`,
    `  ${first.message}`,
    ...(first.atUs === undefined ? [] : [`  at ${(first.atUs / 1000).toFixed(1)} ms`]),
    ...around(plan, first),
    ...result.around.map((line) => `  operation ${line}`),
    ...violations.slice(1, 4).map((each) => `  also ${each.invariant}: ${each.message}`),
    `  replay: npm run sim -- --plan ${planFile}`,
    `  again:  npm run sim -- --seeds 1 --from ${plan.seed} --profile ${plan.profile}`,
  ];
  return lines.join('\n');
}

/** True when both are the same failure: of one invariant, and, where that covers many ways to fail, in the same words. */
export function isAlike(a: Violation, b: Violation | undefined): boolean {
  if (a.invariant !== b?.invariant) return false;
  return a.invariant !== 'P1' || wordsOf(a) === wordsOf(b);
}

/** The message without the numbers in it. */
function wordsOf({ message }: Violation): string {
  return message.replace(/\b[0-9a-f]*\d[0-9a-f]*\b/g, '#');
}

/** Writes the plan; gives the file's name. */
export function keepPlan(plan: Plan, folder: string, suffix = ''): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${plan.profile}-${plan.seed}${suffix}.json`);
  writeFileSync(file, formatPlan(plan));
  return file;
}

/** The faults around the moment of a violation. */
function around(plan: Plan, violation: Violation): string[] {
  if (violation.atUs === undefined) return [];
  const atMs = violation.atUs / 1000;
  return plan.faults
    .filter((fault) => fault.atMs <= atMs && fault.atMs + fault.forMs >= atMs - 3_000)
    .slice(-6)
    .map((fault) => {
      const { atMs: from, forMs, kind, ...rest } = fault;
      return `  fault ${kind} from ${from} to ${from + forMs} ms ${JSON.stringify(rest)}`;
    });
}
