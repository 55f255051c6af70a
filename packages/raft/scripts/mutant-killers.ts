/**
 * Runs the proofs against whatever core stands beside it, and prints as JSON which of them fail.
 *
 * `mutants.ts` starts it in a copy of the package with one bug planted. Arguments: the folder of our
 * transcripts, the number of seeds, the number of states.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  explore,
  interpreterFor,
  planFor,
  runTranscript,
  SCOPES,
  Simulation,
} from '@etcd-ts/raft/testing';

/** What one kind of proof said about the core. */
interface Verdict {
  readonly proof: 'transcripts' | 'simulator' | 'explorer';
  /** The file, the seed or the scope that failed; empty when none did. */
  readonly killer: string;
  readonly reason: string;
  readonly milliseconds: number;
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
}

function judge(proof: Verdict['proof'], body: () => { killer: string; reason: string }): Verdict {
  const start = performance.now();
  const { killer, reason } = body();
  return { proof, killer, reason, milliseconds: Math.round(performance.now() - start) };
}

function byTranscripts(folder: string): { killer: string; reason: string } {
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith('.txt'))
    .sort()) {
    const text = readFileSync(join(folder, name), 'utf8');
    const [mismatch] = runTranscript(text, interpreterFor('interaction')).strict;
    if (mismatch === undefined) continue;
    return { killer: name, reason: `line ${mismatch.line}: ${mismatch.command}` };
  }
  return { killer: '', reason: '' };
}

function bySimulator(seeds: number): { killer: string; reason: string } {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      new Simulation(planFor(seed)).run();
    } catch (error) {
      return { killer: `seed ${seed}`, reason: firstLine(error) };
    }
  }
  return { killer: '', reason: '' };
}

function byExplorer(statesMax: number): { killer: string; reason: string } {
  for (const scope of SCOPES) {
    try {
      explore({ ...scope, statesMax });
    } catch (error) {
      return { killer: scope.name, reason: firstLine(error) };
    }
  }
  return { killer: '', reason: '' };
}

function main(): void {
  const [folder = '', seeds = '0', states = '0'] = process.argv.slice(2);
  const verdicts = [
    judge('transcripts', () => byTranscripts(folder)),
    judge('simulator', () => bySimulator(Number(seeds))),
  ];
  if (Number(states) > 0) verdicts.push(judge('explorer', () => byExplorer(Number(states))));
  console.log(JSON.stringify(verdicts));
}

main();
