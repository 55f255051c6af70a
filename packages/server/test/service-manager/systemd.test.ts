import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/logger.ts';
import { journal } from '../../src/node/log/journal.ts';
import { notifyServiceManager } from '../../src/node/service/systemd.ts';
import { unixDatagrams } from '../../src/node/service/unix-datagram.ts';
import { DatagramSocket } from './datagram-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-notify-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hasDatagrams = (await unixDatagrams()) !== undefined;
const hasTool = ((): boolean => {
  try {
    execFileSync('systemd-notify', ['--version']);
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasDatagrams)('with datagrams of this process', () => {
  test('systemd hears READY=1 from the process itself', async () => {
    await using socket = await DatagramSocket.bind(join(folder, 'a'));
    await notifyServiceManager('READY=1', socket.path, silentLogger);
    expect(socket.receive()).toEqual({ text: 'READY=1\n', pid: process.pid });
  });

  test('an abstract socket is one, too', async () => {
    await using socket = await DatagramSocket.bind(`@etcd-ts-${process.pid}`);
    await notifyServiceManager('STOPPING=1', socket.path, silentLogger);
    expect(socket.receive()?.text).toBe('STOPPING=1\n');
  });

  test('a line of the log is an entry of the journal, with its priority', async () => {
    await using socket = await DatagramSocket.bind(join(folder, 'j'));
    const output = await journal(socket.path);
    output.write('{"level":"warn","msg":"x"}\n');
    expect(socket.receive()?.text).toBe(
      'PRIORITY=4\nSYSLOG_IDENTIFIER=etcd-ts\nMESSAGE={"level":"warn","msg":"x"}\n',
    );
  });

  test.skipIf(!hasTool)('without them systemd-notify says it', async () => {
    await using socket = await DatagramSocket.bind(join(folder, 'b'));
    const none = () => Promise.resolve(undefined);
    await notifyServiceManager('READY=1', socket.path, silentLogger, none);
    expect(socket.receive()?.text).toContain('READY=1');
  });
});

test('nobody is told when nobody asked, and a socket that is not there is only logged', async () => {
  const errors: string[] = [];
  const logger = { ...silentLogger, error: (message: string) => errors.push(message) };
  await notifyServiceManager('READY=1', undefined, logger);
  expect(errors).toEqual([]);
  await notifyServiceManager('READY=1', join(folder, 'nobody'), logger);
  expect(errors).toEqual(['failed to notify systemd for readiness']);
});

test('a journal that is not there is refused', async () => {
  await expect(journal(join(folder, 'nobody'))).rejects.toThrow("can't find journal");
});
