import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Member } from './member.ts';
import { freePorts } from '../../tools/peers/free-ports.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * The command that runs etcd-ts, from `dist`: a process that compiles itself first takes seconds to start, and these
 * tests start many.
 */
export const ETCD_TS: readonly string[] = [
  process.execPath,
  join(root, 'packages', 'server', 'bin', 'etcd-ts.js'),
];

let isBuilt = false;

/**
 * Brings `dist` up to date with the sources; quick when nothing changed.
 *
 * @throws Error with the compiler's output when the sources do not compile.
 */
export function build(): void {
  if (isBuilt) return;
  const compiler = join(root, 'node_modules', '.bin', 'tsc');
  const { status, stdout } = spawnSync(compiler, ['-b'], { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the sources do not compile:\n${stdout}`);
  isBuilt = true;
}

/** What a run of a command-line tool gave. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a cluster of processes is set up. */
export interface ClusterOptions {
  readonly size: number;
  /** Program and leading arguments of a member. @defaultValue etcd-ts */
  readonly program?: readonly string[];
  /** Scheme of all URLs. @defaultValue http */
  readonly scheme?: 'http' | 'https';
  /** Flags of one member alone. */
  readonly flagsOf?: (name: string) => readonly string[];
  /** Flags for every member, besides names, URLs and directories. */
  readonly flags?: readonly string[];
  /** Where a member's data directory is to be, instead of in the cluster's folder. */
  readonly dataDirOf?: (name: string) => string | undefined;
}

/** Members as processes on this machine, with data in a folder of their own that `dispose` removes. */
export class Cluster {
  readonly members: readonly Member[];
  readonly folder: string;

  private constructor(members: readonly Member[], folder: string) {
    this.members = members;
    this.folder = folder;
  }

  /** Lays out the members without starting them. */
  static async create(options: ClusterOptions): Promise<Cluster> {
    const { scheme = 'http', program = ETCD_TS } = options;
    if (program === ETCD_TS) build();
    const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-e2e-'));
    const ports = await freePorts(options.size * 2);
    const specs = Array.from({ length: options.size }, (_, i) => ({
      name: `m${i + 1}`,
      clientUrl: `${scheme}://127.0.0.1:${ports[2 * i]}`,
      peerUrl: `${scheme}://127.0.0.1:${ports[2 * i + 1]}`,
      dataDir: options.dataDirOf?.(`m${i + 1}`) ?? join(folder, `m${i + 1}`),
    }));
    const initial = specs.map((spec) => `${spec.name}=${spec.peerUrl}`).join(',');
    const members = specs.map((spec) => {
      const flags = memberFlags(spec, initial);
      const own = options.flagsOf?.(spec.name) ?? [];
      const command = [...program, ...flags, ...(options.flags ?? []), ...own];
      return new Member({ ...spec, command });
    });
    return new Cluster(members, folder);
  }

  /** Lays out and starts the members; all serve when it resolves. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = await Cluster.create(options);
    try {
      await Promise.all(cluster.members.map((member) => member.start()));
    } catch (error) {
      await cluster.dispose();
      throw error;
    }
    return cluster;
  }

  /** All client endpoints, as etcdctl's --endpoints wants them. */
  get endpoints(): string {
    return this.members.map((member) => member.endpoint).join(',');
  }

  /** Kills what runs and removes the data. */
  async dispose(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function memberFlags(
  spec: { name: string; clientUrl: string; peerUrl: string; dataDir: string },
  initialCluster: string,
): string[] {
  return [
    `--name=${spec.name}`,
    `--data-dir=${spec.dataDir}`,
    `--listen-client-urls=${spec.clientUrl}`,
    `--advertise-client-urls=${spec.clientUrl}`,
    `--listen-peer-urls=${spec.peerUrl}`,
    `--initial-advertise-peer-urls=${spec.peerUrl}`,
    `--initial-cluster=${initialCluster}`,
    '--initial-cluster-state=new',
    '--initial-cluster-token=e2e',
  ];
}

/** Runs a tool to its end; never rejects for its exit code. */
export function runTool(
  program: string,
  args: readonly string[],
  options: {
    readonly input?: string;
    readonly timeoutMs?: number;
    /** `latin1` keeps every byte of binary output. @defaultValue 'utf8' */
    readonly encoding?: 'utf8' | 'latin1';
  } = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      program,
      [...args],
      {
        timeout: options.timeoutMs ?? 20_000,
        maxBuffer: 64 * 1024 * 1024,
        encoding: options.encoding ?? 'utf8',
        env: { ...process.env, ETCDCTL_API: '3' },
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, stdout, stderr });
      },
    );
    // A tool that ends before it has read everything is judged by its exit code.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}
