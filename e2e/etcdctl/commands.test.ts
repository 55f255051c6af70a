/** No command of etcdctl is forgotten: each is in the script, in a scene, in another test, or has a reason. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../../tools/peers/real-etcd.ts';
import { runTool } from '../harness/cluster.ts';
import { COMMANDS } from './commands.ts';
import { SCENES } from './long-running.ts';
import { CLUSTER, KEYS, LEASES, SECURED, USERS } from './script.ts';

const peers = realEtcd();
const SCRIPTED = new Set([KEYS, LEASES, CLUSTER, USERS, SECURED].flat().map((one) => one.command));
const PLAYED = SCENES.map(({ what }) => what).join(', ');

test.each(Object.entries(COMMANDS))('%s', (command, shown) => {
  const words = new RegExp(`\\b${command}\\b`);
  if (shown === 'script') expect(SCRIPTED).toContain(command);
  else if (shown === 'scene') expect(PLAYED).toMatch(words);
  else if ('file' in shown) {
    const text = readFileSync(new URL(`../../${shown.file}`, import.meta.url), 'utf8');
    expect(text).toMatch(new RegExp(`\\b${command.split(' ')[0]}\\b`));
  } else expect(shown.not).not.toBe('');
});

test('no step is of a command that is not listed', () => {
  expect([...SCRIPTED].filter((command) => !(command in COMMANDS))).toEqual([]);
});

describe.runIf(hasEtcd(peers))('etcdctl 3.5 itself', () => {
  test('has no other commands', async () => {
    const { etcdctl } = peers as { etcdctl: string };
    const { stdout } = await runTool(etcdctl, ['help']);
    const [, list = ''] = /\nCOMMANDS:\n([^]*?)\n\n/.exec(stdout) ?? [];
    const names = [...list.matchAll(/^\t([^\t]+?)\t/gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(50);
    expect(names.filter((name) => !(name in COMMANDS))).toEqual([]);
  });
});
