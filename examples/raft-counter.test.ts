import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test(
  'three nodes agree on a counter, through the loss of their leader',
  { timeout: 60_000 },
  () => {
    const file = join(dirname(fileURLToPath(import.meta.url)), 'raft-counter.ts');
    const tsx = ['--conditions=@etcd-ts/source', '--import', import.meta.resolve('tsx'), file];
    const { stdout, stderr, status } = spawnSync(process.execPath, tsx, { encoding: 'utf8' });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const lines = stdout.trimEnd().split('\n');
    expect(lines.slice(0, 5)).toEqual([
      'add 5 at the leader: committed',
      'add 37 at a follower: committed',
      'read at a follower: the counter is 42',
      'the leader is gone, another leads: true',
      'add 8 at the new leader: committed',
    ]);
    const nodes = lines.slice(5);
    expect(nodes).toHaveLength(3);
    for (const line of nodes) {
      expect(line).toMatch(/^node \d: (leader|follower) of term 2, applied 5, counter 50$/);
    }
    expect(nodes.filter((line) => line.includes('leader'))).toHaveLength(1);
  },
);
