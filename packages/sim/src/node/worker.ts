/** A process of `npm run sim`: runs the seeds that it is sent, one after another. */
import process from 'node:process';
import { generatePlan } from '../plan/generate.ts';
import { runOnce } from './run-once.ts';
import { ownCpuMs } from './seed-runs.ts';
import type { WorkerAnswer, WorkerTask } from './workers.ts';

// A terminal interrupts all processes of a command; the one that this works for says when it is over.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());

let last: Promise<void> = Promise.resolve();

process.on('message', ({ seed, profile }: WorkerTask) => {
  last = last.then(async () => {
    const result = await runOnce(generatePlan(seed, profile));
    const answer: WorkerAnswer = { result, cpuMs: ownCpuMs() };
    process.send?.(answer);
  });
});
