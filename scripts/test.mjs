// npm test: set-up, lint, types, all tests; ends on the line `N passed, N failed`.
// Arguments are handed to vitest (npm test -- packages/raft), and then only the tests run.
import './setup.mjs';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, tool } from './lib.mjs';

const chosen = process.argv.slice(2);
if (chosen.length === 0) await import('./check.mjs');
else tool('tsc', ['-b']); // The process tests run what is built.

const scratch = mkdtempSync(join(tmpdir(), 'etcd-ts-test-'));
const report = join(scratch, 'report.json');
const result = spawnSync(
  join(root, 'node_modules', '.bin', 'vitest'),
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...chosen],
  { cwd: root, stdio: 'inherit' },
);
let counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numFailedTestSuites: 0 };
try {
  counts = JSON.parse(readFileSync(report, 'utf8'));
} catch (error) {
  console.error(`no test report: ${error.message}`);
}
rmSync(scratch, { recursive: true, force: true });

const ran = counts.numPassedTests + counts.numFailedTests;
const failed = counts.numFailedTests + (result.status !== 0 && counts.numFailedTests === 0 ? 1 : 0);
const skipped = counts.numPendingTests > 0 ? `, ${counts.numPendingTests} skipped` : '';
console.log(`${counts.numPassedTests} passed, ${failed} failed${skipped}`);
process.exit(failed > 0 || ran === 0 ? 1 : 0);
