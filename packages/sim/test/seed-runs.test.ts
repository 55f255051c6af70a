/** Seeds that are spread over processes. */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

describe('the command with several processes', { timeout: 60_000 }, () => {
  it('ends well when its time is over while seeds are under way', () => {
    const args = ['scripts/sim.mjs', '--jobs', '2', '--seeds', '100000', '--minutes', '0.05'];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    expect(stderr).not.toContain('Error');
    expect(status).toBe(0);
  });
});

describe('the command', { timeout: 60_000 }, () => {
  it('counts the run in which its time ended', () => {
    const args = ['scripts/sim.mjs', '--seeds', '100000', '--minutes', '0.00001', '--hashes'];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    expect(stdout.match(/^\d+ [0-9a-f]{16}$/gm)).toHaveLength(1);
    expect(status).toBe(0);
  });
});
