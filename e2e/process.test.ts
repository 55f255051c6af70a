/** The server as a process among others: where its settings come from, how it answers signals, and how it ends. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '@etcd-ts/client/node';
import { DatagramSocket } from '../packages/server/test/service-manager/datagram-socket.ts';
import { build, Cluster, ETCD_TS } from './harness/cluster.ts';
import { findLeader } from './harness/leader.ts';
import type { LogLine, Member } from './harness/member.ts';
import { freePorts } from '../tools/peers/free-ports.ts';
import { ServerProcess } from './harness/process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'etcd-ts-process-'));
beforeAll(() => build(), 120_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Flags of a lone member on free ports. */
async function alone(name: string): Promise<{ flags: string[]; clientUrl: string }> {
  const [client, peer] = await freePorts(2);
  const clientUrl = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const flags = [
    `--name=${name}`,
    `--data-dir=${join(scratch, name)}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=${name}=${peerUrl}`,
  ];
  return { flags, clientUrl };
}

/** The same as variables. */
function asVariables(flags: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    flags.map((flag) => {
      const [, name = '', value = ''] = /^--([^=]+)=(.*)$/.exec(flag) ?? [];
      return [`ETCD_${name.toUpperCase().replaceAll('-', '_')}`, value];
    }),
  );
}

const READY = 'ready to serve client requests';

describe('settings', () => {
  test('a member starts from variables alone', async () => {
    const { flags, clientUrl } = await alone('variables');
    await using server = new ServerProcess(ETCD_TS, asVariables(flags));
    await server.line(READY);
    const insecure = await server.line('serving client traffic insecurely');
    expect(insecure['address']).toBe(clientUrl.replace('http://', ''));
    expect(server.messages.filter((message) => message.startsWith('recognized'))).toHaveLength(7);
  });

  test('a member starts from a file, and other flags are ignored with a warning', async () => {
    const { flags } = await alone('file');
    const path = join(scratch, 'etcd.yaml');
    writeFileSync(path, flags.map((flag) => flag.slice(2).replace('=', ': ')).join('\n'));
    await using server = new ServerProcess([...ETCD_TS, `--config-file=${path}`, '--name=other']);
    await server.line(READY);
    expect(await server.line('loaded server configuration')).toMatchObject({
      level: 'warn',
      ignored: ['--name'],
    });
    expect(await server.line('now serving peer/client/metrics')).toMatchObject({ name: 'file' });
  });

  test('the log goes into a file, in the form that was asked for', async () => {
    const { flags } = await alone('logged');
    const path = join(scratch, 'etcd.log');
    const log = [`--log-outputs=${path},stdout`, '--log-format=console'];
    await using server = new ServerProcess([...ETCD_TS, ...flags, ...log]);
    await expect.poll(() => server.text.join('\n'), { timeout: 30_000 }).toContain(READY);
    expect(readFileSync(path, 'utf8')).toMatch(/Z\tinfo\tnode\/run-member\.\S+\tready to serve/);
  });
});

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends it in order, by that signal', async (name) => {
    const { flags } = await alone(name);
    await using server = new ServerProcess([...ETCD_TS, ...flags]);
    await server.line(READY);
    server.signal(name);
    expect(await server.ended()).toEqual({ code: null, signal: name });
    expect(server.messages).toContain('closed etcd server');
    expect(await server.line('received signal; shutting down')).toMatchObject({
      signal: name === 'SIGTERM' ? 'terminated' : 'interrupt',
    });
  });

  test('a second SIGINT ends it at once', async () => {
    const { flags, clientUrl } = await alone('twice');
    await using server = new ServerProcess([...ETCD_TS, ...flags]);
    await server.line(READY);
    const client = connect({ endpoints: [clientUrl] });
    // A running stream is what a stop in order waits for.
    const watcher = client.watch('k');
    await watcher.created;
    server.signal('SIGINT');
    await server.line('closing etcd server');
    server.signal('SIGINT');
    expect(await server.ended()).toEqual({ code: null, signal: 'SIGINT' });
    expect(server.messages).not.toContain('closed etcd server');
    watcher.cancel();
    await client.close();
  });

  test('SIGUSR2 switches the log to debug and back', async () => {
    const { flags } = await alone('level');
    await using server = new ServerProcess([...ETCD_TS, ...flags, '--log-level=info']);
    await server.line(READY);
    server.signal('SIGUSR2');
    expect(await server.line('changed the log level')).toMatchObject({ 'log-level': 'debug' });
    server.signal('SIGUSR2');
    // Not the last line of all: what it does meanwhile it may log as well.
    const levels = (): unknown[] =>
      server.lines
        .filter(({ msg }) => msg === 'changed the log level')
        .map((each) => each['log-level']);
    await expect.poll(levels).toEqual(['debug', 'info']);
    server.signal('SIGTERM');
    await server.ended();
  });
});

test.skipIf(process.platform !== 'linux')(
  'systemd hears when it is ready, and when it ends',
  async () => {
    const { flags } = await alone('notify');
    await using socket = await DatagramSocket.bind(join(scratch, 'notify.sock'));
    const variables = { NOTIFY_SOCKET: socket.path };
    await using server = new ServerProcess([...ETCD_TS, ...flags], variables);
    await server.line('successfully notified init daemon');
    expect(server.messages.indexOf(READY)).toBeGreaterThan(0);
    expect(socket.receive()).toEqual({ text: 'READY=1\n', pid: server.pid });
    server.signal('SIGTERM');
    await server.ended();
    expect(socket.receive()).toEqual({ text: 'STOPPING=1\n', pid: server.pid });
  },
);

describe('in a cluster', () => {
  test('a leader hands over before it ends, it comes back, and nothing of it all is an error', async () => {
    const cluster = await Cluster.start({ size: 3 });
    try {
      const { members } = cluster;
      const client = connect({ endpoints: members.map(({ endpoint }) => endpoint) });
      await client.put('k', '1');
      const leader = await findLeader(members);
      await leader.stop();
      expect(messages(leader)).toContain('leadership transfer finished');
      await client.put('k', '2');
      await leader.start();
      expect((await client.get('k'))?.text).toBe('2');
      await client.close();
      for (const member of members) await member.stop();
      const lines = members.flatMap(({ log }) => log.map((line) => JSON.parse(line) as LogLine));
      expect(lines.filter(({ level }) => !['debug', 'info', 'warn'].includes(level))).toEqual([]);
    } finally {
      await cluster.dispose();
    }
  });
});

function messages({ log }: Member): readonly string[] {
  return log.map((line) => (JSON.parse(line) as LogLine).msg);
}
