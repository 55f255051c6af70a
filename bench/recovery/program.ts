/** A program that serves one member from a data directory: started, asked whether it serves, measured, killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** A program that does not serve by then is given up. */
const LIMIT_MS = 120_000;

/** Between two looks whether it serves. */
const POLL_MS = 5;

/** What is run, and on which data. */
export interface Program {
  readonly name: string;
  readonly command: readonly string[];
  readonly dataDir: string;
}

/** A program that runs. */
export class Running {
  readonly endpoint: string;
  /** From the start of the process to the first answer of /health, which is one of a linearizable read. */
  readonly startMs: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, endpoint: string, startMs: number) {
    this.#child = child;
    this.endpoint = endpoint;
    this.startMs = startMs;
  }

  static async start({ command, dataDir }: Program): Promise<Running> {
    const [client, peer] = await freePorts(2);
    const endpoint = `127.0.0.1:${client}`;
    const beganMs = performance.now();
    const child = spawn(
      command[0] as string,
      [
        ...command.slice(1),
        `--data-dir=${dataDir}`,
        `--listen-client-urls=http://${endpoint}`,
        `--advertise-client-urls=http://${endpoint}`,
        `--listen-peer-urls=http://127.0.0.1:${peer}`,
        // The founding of the data directory named it; it must stay.
        '--initial-advertise-peer-urls=http://127.0.0.1:2380',
        '--initial-cluster=default=http://127.0.0.1:2380',
        '--quota-backend-bytes=8589934592',
      ],
      { stdio: 'ignore' },
    );
    try {
      await healthy(child, `http://${endpoint}/health`);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    return new Running(child, endpoint, performance.now() - beganMs);
  }

  /** Bytes of it that are in memory now. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  /** The largest that it was, since {@link forgetPeak} if that was called. */
  peakResidentBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  /** Lets the peak begin again from what is in memory now. */
  forgetPeak(): void {
    writeFileSync(`/proc/${this.#child.pid}/clear_refs`, '5');
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exited;
  }
}

async function healthy(child: ChildProcess, url: string): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  while (performance.now() < endMs) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok === true) return;
    await pause(POLL_MS);
  }
  throw new Error(`${url} is not healthy after ${LIMIT_MS} ms`);
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
