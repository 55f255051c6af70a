/** One of two clusters under the same script: three members, and what etcdctl's output calls them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Cluster, type Ran, runTool } from '../harness/cluster.ts';
import type { Member } from '../harness/member.ts';

/** What differs from cluster to cluster, and what takes its place in compared output. */
type Names = readonly (readonly [text: string, stands: string])[];

/** How a command is run. */
export interface RunOptions {
  readonly at?: number | 'all';
  readonly input?: string | undefined;
  readonly encoding?: 'utf8' | 'latin1';
}

/** A cluster, and etcdctl at its members. */
export class Side {
  readonly cluster: Cluster;
  /** What the script remembers of earlier output: ids of leases and members. */
  readonly vars = new Map<string, string>();
  readonly #etcdctl: string;
  #names: Names = [];
  #ids = new Map<string, string>();

  constructor(cluster: Cluster, etcdctl: string) {
    this.cluster = cluster;
    this.#etcdctl = etcdctl;
  }

  /** Id of a member, by name, in hexadecimal. */
  id(name: string): string {
    const id = this.#ids.get(name);
    if (id === undefined) throw new Error(`no member ${name}`);
    return id;
  }

  /** What was remembered. */
  var(name: string): string {
    const value = this.vars.get(name);
    if (value === undefined) throw new Error(`nothing is remembered as ${name}`);
    return value;
  }

  /** Learns the ids of cluster and members; to be called again when they change. */
  async learnNames(...flags: readonly string[]): Promise<void> {
    const ran = await this.run([...flags, 'member', 'list', '-w', 'json']);
    const decimal = (text: string, field: string): string =>
      new RegExp(`"${field}":(\\d+)`).exec(text)?.[1] ?? '0';
    const names: [string, string][] = [];
    const learn = (id: string, stands: number): void => {
      names.push([id, String(stands)], [BigInt(id).toString(16), `hex${stands}`]);
    };
    learn(decimal(ran.stdout, 'cluster_id'), 9000);
    for (const [, id, name] of ran.stdout.matchAll(/"ID":(\d+)(?:,"name":"([^"]*)")?/g)) {
      const known = name === undefined ? 'new' : name;
      learn(id!, 9001 + this.cluster.members.findIndex((member) => member.name === known));
      this.#ids.set(known, BigInt(id!).toString(16));
    }
    for (const { name, clientUrl, peerUrl } of this.cluster.members) {
      names.push([new URL(clientUrl).port, `client-${name}`]);
      names.push([new URL(peerUrl).port, `peer-${name}`]);
    }
    for (const [name, value] of this.vars) names.push([value, `<${name}>`]);
    names.push([this.cluster.folder, '<folder>']);
    this.#names = names.sort(([a], [b]) => b.length - a.length);
  }

  /** A member, or all of them, as `--endpoints` wants it. */
  endpoints(at: number | 'all'): string {
    return at === 'all' ? this.cluster.endpoints : (this.cluster.members[at] as Member).endpoint;
  }

  /** Runs a command to its end. `latin1` keeps every byte of binary output. */
  run(
    args: readonly string[],
    { at = 0, input, encoding = 'utf8' }: RunOptions = {},
  ): Promise<Ran> {
    const all = [`--endpoints=${this.endpoints(at)}`, ...args];
    return runTool(this.#etcdctl, all, {
      ...(input === undefined ? {} : { input }),
      encoding,
    });
  }

  /** Starts a command that goes on until it is ended. */
  start(args: readonly string[], at: number | 'all' = 0): Running {
    return new Running(this.#etcdctl, [`--endpoints=${this.endpoints(at)}`, ...args]);
  }

  /** Output in which nothing is left that is this cluster's alone. */
  normal(text: string): string {
    let normal = text;
    for (const [own, stands] of this.#names) normal = normal.replaceAll(own, stands);
    for (const [name, value] of this.vars) {
      normal = normal.replaceAll(value, `<${name}>`);
      if (/^[0-9a-f]+$/.test(value)) {
        normal = normal.replaceAll(BigInt(`0x${value}`).toString(), `<${name}>`);
      }
    }
    return (
      normal
        // Ids are printed 16 digits wide.
        .replaceAll(/ +(hex900\d|<added>)/g, ' $1')
        .replaceAll(/("raft_term":|"raftTerm":|"RaftTerm" : )\d+/g, '$1TERM')
        .split('\n')
        .filter((line) => !line.startsWith('{"level":'))
        .join('\n')
    );
  }
}

/** A command that runs. */
export class Running {
  /** All that it has printed. */
  output = '';
  readonly #child: ChildProcess;
  #listeners: (() => void)[] = [];

  constructor(program: string, args: readonly string[]) {
    this.#child = spawn(program, args, { env: { ...process.env, ETCDCTL_API: '3' } });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      for (const look of this.#listeners) look();
    });
    this.#child.once('exit', () => {
      for (const look of this.#listeners) look();
    });
  }

  /** Resolves when the output is as wanted; rejects when the command ends before. */
  until(what: string, isReached: (output: string) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (isReached(this.output)) resolve();
        else if (this.#child.exitCode !== null) {
          reject(new Error(`ended before ${what}: ${this.output}`));
        } else return;
        this.#listeners = this.#listeners.filter((other) => other !== look);
      };
      this.#listeners.push(look);
      look();
    });
  }

  async end(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill(signal);
      await exited;
    }
    return this.#child.exitCode;
  }
}
