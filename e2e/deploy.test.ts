/** What lies in deploy/: the systemd unit starts a member, and the image and the StatefulSet name what is there. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '@etcd-ts/client/node';
import { makeCertificates } from '../examples/tls/certificates.ts';
import { build, ETCD_TS } from './harness/cluster.ts';
import { freePorts } from '../tools/peers/free-ports.ts';
import { Service } from './harness/service.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const read = (path: string): string => readFileSync(join(root, 'deploy', path), 'utf8');

/** Names of all flags, as the program's help tells them. */
let flags: ReadonlySet<string>;
let folder: string;

beforeAll(() => {
  build();
  folder = mkdtempSync(join(tmpdir(), 'etcd-ts-deploy-'));
  const [program, ...words] = ETCD_TS as [string, ...string[]];
  const { stdout } = spawnSync(program, [...words, '--help'], { encoding: 'utf8' });
  flags = new Set([...stdout.matchAll(/^ +--([a-z0-9-]+)/gm)].map(([, name]) => name as string));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Sections of a unit file, values by key. */
function parseUnit(text: string): Map<string, Map<string, string>> {
  const unit = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, title] = /^\[(\w+)\]$/.exec(line) ?? [];
    if (title !== undefined) unit.set(title, (section = new Map()));
    else if (line !== '' && !line.startsWith('#')) {
      const [key = '', value = ''] = line.split(/=(.*)/s);
      section.set(key, value);
    }
  }
  return unit;
}

/** Variables of an environment file. */
function parseEnvironment(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2))) as Record<
    string,
    string
  >;
}

describe('the systemd unit', () => {
  test('starts a member with the environment file, addresses and folders being those of this machine', async () => {
    const unit = parseUnit(read('systemd/etcd-ts.service'));
    const service = unit.get('Service')!;
    expect(service.get('Type')).toBe('notify');
    expect(service.get('EnvironmentFile')).toBe('/etc/etcd/etcd-ts.env');
    const [binary, ...words] = (service.get('ExecStart') as string).split(' ');
    expect(binary).toBe('/usr/local/bin/etcd-ts');
    await makeCertificates(join(folder, 'pki'));
    const [client, loopback, peer, metrics] = await freePorts(4);
    const text = read('systemd/etcd-ts.env')
      .replaceAll('https://192.0.2.11:2379', `https://127.0.0.1:${client}`)
      .replaceAll('https://127.0.0.1:2379', `https://127.0.0.1:${loopback}`)
      .replaceAll('https://192.0.2.11:2380', `https://127.0.0.1:${peer}`)
      .replaceAll('http://127.0.0.1:2381', `http://127.0.0.1:${metrics}`)
      // The two others of the three do not exist here.
      .replaceAll(/,etcd[23]=https:\/\/192\.0\.2\.1[23]:2380/g, '')
      .replaceAll('/etc/etcd/pki', join(folder, 'pki'))
      .replaceAll('/var/lib/etcd', join(folder, 'data'));
    const environment = parseEnvironment(text);
    for (const name of Object.keys(environment)) {
      expect(flags).toContain(name.slice('ETCD_'.length).toLowerCase().replaceAll('_', '-'));
    }
    const member = await Service.start([...ETCD_TS, ...words], 'ready to serve client requests', {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...environment },
    });
    const pki = (name: string): Buffer => readFileSync(join(folder, 'pki', name));
    const etcd = connect({
      endpoints: [environment['ETCD_ADVERTISE_CLIENT_URLS'] as string],
      channel: { tls: { ca: pki('ca.crt'), cert: pki('client.crt'), key: pki('client.key') } },
    });
    await etcd.put('a', '1');
    expect((await etcd.cluster.members()).map(({ name }) => name)).toEqual(['etcd1']);
    await etcd.close();
    const complaints = member.log.filter((line) => /"level":"(error|warn|fatal)"/.test(line));
    expect(complaints.filter((line) => !line.includes('is deprecated in'))).toEqual([]);
    await member.stop();
    expect(existsSync(join(folder, 'data', 'member'))).toBe(true);
  });

  test('is one that systemd understands', () => {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) return;
    const path = join(folder, 'etcd-ts.service');
    writeFileSync(
      path,
      read('systemd/etcd-ts.service').replace('/usr/local/bin/etcd-ts', process.execPath),
    );
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

test('the Dockerfile copies what there is, and starts the server with flags that there are', () => {
  const lines = read('Dockerfile').replaceAll('\\\n', ' ').split('\n');
  const instructions = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const known = /^(FROM|WORKDIR|COPY|RUN|USER|VOLUME|EXPOSE|HEALTHCHECK|ENTRYPOINT|CMD) /;
  for (const line of instructions) expect(line).toMatch(known);
  const sources = instructions
    .filter((line) => /^COPY (?!--from)/.test(line))
    .flatMap((line) => line.split(' ').slice(1, -1));
  expect(sources.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  const manifests = parseAllDocuments(readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8'))[0];
  const { packages } = manifests!.toJS() as { packages: string[] };
  const folders = packages.map((path) => path.replace('/*', ''));
  const isCopied = (folder: string): boolean =>
    sources.some((source) => folder === source || folder.startsWith(`${source}/`));
  expect(folders.filter((folder) => !isCopied(folder))).toEqual([]);
  const [entry] = instructions.filter((line) => line.startsWith('ENTRYPOINT'));
  expect(JSON.parse(entry!.slice('ENTRYPOINT '.length))).toEqual(['etcd-ts']);
  const [command] = instructions.filter((line) => line.startsWith('CMD'));
  expectFlags(JSON.parse(command!.slice('CMD '.length)) as string[]);
});

function expectFlags(args: readonly string[]): void {
  for (const arg of args) expect(flags).toContain(/^--([a-z-]+)=/.exec(arg)?.[1]);
}

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Record<string, unknown>;
}

describe('the StatefulSet', () => {
  const resources = parseAllDocuments(read('kubernetes/etcd-ts.yaml')).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Resource;
  });
  const set = resources.find(({ kind }) => kind === 'StatefulSet')!;
  const spec = set.spec as {
    serviceName: string;
    replicas: number;
    selector: { matchLabels: Record<string, string> };
    template: {
      metadata: { labels: Record<string, string> };
      spec: { containers: Container[] };
    };
    volumeClaimTemplates: { metadata: { name: string } }[];
  };
  interface Container {
    args: string[];
    ports: { name: string; containerPort: number }[];
    volumeMounts: { name: string; mountPath: string }[];
    [probe: `${string}Probe`]: { httpGet: { path: string; port: string } };
  }
  const [container] = spec.template.spec.containers as [Container];

  test('has a headless service that publishes members before they are ready', () => {
    const service = resources.find(
      ({ kind, metadata }) => kind === 'Service' && metadata.name === spec.serviceName,
    );
    expect(service?.spec).toMatchObject({
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: spec.template.metadata.labels,
    });
    expect(spec.selector.matchLabels).toEqual(spec.template.metadata.labels);
  });

  test('names flags that there are, and as many members as replicas', () => {
    expectFlags(container.args);
    const [, initial = ''] = container.args.join(' ').match(/--initial-cluster=(\S+)/) ?? [];
    expect(initial.split(',')).toEqual(
      Array.from({ length: spec.replicas }, (_, i) => {
        const name = `${set.metadata.name}-${i}`;
        return `${name}=http://${name}.${spec.serviceName}:2380`;
      }),
    );
  });

  test('listens where its ports are, and keeps its data in a claimed volume', () => {
    const listened = container.args
      .filter((arg) => arg.startsWith('--listen-'))
      .map((arg) => Number(arg.slice(arg.lastIndexOf(':') + 1)));
    const ports = container.ports.map(({ containerPort }) => containerPort);
    expect(listened.sort((a, b) => a - b)).toEqual(ports.sort((a, b) => a - b));
    const [volume] = container.volumeMounts;
    expect(spec.volumeClaimTemplates.map(({ metadata }) => metadata.name)).toEqual([volume!.name]);
    expect(container.args).toContain(`--data-dir=${volume!.mountPath}/data`);
  });

  test('probes pages that the metrics port has', async () => {
    const [metrics] = await freePorts(1);
    const url = `http://127.0.0.1:${metrics}`;
    const member = await Service.start(
      [
        ...ETCD_TS,
        `--data-dir=${join(folder, 'probed')}`,
        ...(await ownPorts()),
        `--listen-metrics-urls=${url}`,
      ],
      'ready to serve client requests',
    );
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
      const { path, port } = container[probe]!.httpGet;
      expect(container.ports.map(({ name }) => name)).toContain(port);
      expect((await fetch(`${url}${path}`)).status).toBe(200);
    }
    await member.stop();
  });

  async function ownPorts(): Promise<string[]> {
    const [client, peer] = await freePorts(2);
    const [at, from] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
    return [
      `--listen-client-urls=${at}`,
      `--advertise-client-urls=${at}`,
      `--listen-peer-urls=${from}`,
      `--initial-advertise-peer-urls=${from}`,
      `--initial-cluster=default=${from}`,
    ];
  }
});
