/** Seeds that are spread over processes. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { must } from '@etcd-ts/base';
import { describe, expect, it, onTestFailed, onTestFinished, vi } from 'vitest';
import { simulationNode } from '../../../scripts/engine/engine.mjs';

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

  it('runs on the Node of simulations, and on another one where SIM_NODE names it', () => {
    vi.stubEnv('SIM_NODE', '');
    onTestFinished(() => void vi.unstubAllEnvs());
    const own = process.versions.node;
    const { stdout } = spawnSync(simulationNode(), ['-p', 'process.versions.node']);
    expect(nodeOf({})).toBe(stdout.toString().trim());
    expect(nodeOf({ SIM_NODE: process.execPath })).toBe(own);
  });

  it('tells what it has seen when it is interrupted', async () => {
    const args = ['scripts/sim.mjs', '--seeds', '100000', '--jobs', '2', '--hashes'];
    const child = spawn(process.execPath, args, { cwd: ROOT, detached: true });
    const group = -must(child.pid, 'process');
    onTestFailed(() => {
      if (child.exitCode === null && child.signalCode === null) process.kill(group, 'SIGKILL');
    });
    let stderr = '';
    child.stderr.on('data', (data) => (stderr += data));
    await once(child.stdout, 'data');
    // To the whole group, as a terminal does.
    process.kill(group, 'SIGINT');
    const [code] = await once(child, 'close');
    expect(code).toBe(130);
    expect(stderr).toMatch(/^[1-9]\d* seeds, .*; 0 failed/m);
    expect(stderr).not.toContain('Error');
  });
});

/** The version of the Node on which the command says it ran. */
function nodeOf(env: Readonly<Record<string, string>>): string | undefined {
  const { stderr } = spawnSync(process.execPath, ['scripts/sim.mjs', '--seeds', '1'], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, SIM_NODE: '', ...env },
  });
  return /; Node (\S+)$/m.exec(stderr)?.[1];
}
