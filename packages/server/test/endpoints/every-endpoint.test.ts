/**
 * etcd's HTTP endpoints, row by row: endpoints.tsv says what is asked on which port, and what comes. A row's note names
 * the line of docs/differences.md that it falls under, or the test that shows it where one request cannot.
 *
 * Rows go by what earlier ones have done.
 */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../../../../tools/peers/free-ports.ts';
import { EtcdNode } from '../../src/etcd-node.ts';
import { ask, type Comparable, type Question } from '../gateway/ask.ts';

interface Row extends Question {
  readonly port: string;
  readonly status: number;
  readonly type: string;
  readonly answer: string;
  readonly note: string;
}

const file = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

const ROWS: readonly Row[] = file('endpoints.tsv')
  .trimEnd()
  .split('\n')
  .slice(1)
  .map((line) => line.split('\t'))
  .map(
    ([
      port = '',
      method = '',
      path = '',
      body = '',
      status,
      type = '',
      answer = '',
      note = '',
    ]) => ({
      port,
      method,
      path,
      ...(body === '' ? {} : { body }),
      ...(note.startsWith('one line') ? { lines: 1 } : {}),
      status: Number(status),
      type,
      answer,
      note,
    }),
  );

const ASKED = ROWS.filter(({ answer }) => answer !== 'shown by');
const SHOWN = ROWS.filter(({ answer }) => answer === 'shown by');

const DIFFERENCES = file('../../../../docs/differences.md');

const named = ({ port, method, path, body = '' }: Row): string =>
  `${port} ${method} ${path} ${body}`;

const typeOf = (headers: Comparable['headers']): unknown => headers['content-type'] ?? '';

/** Base URLs by the table's names of ports. */
type Ports = Readonly<Record<string, string | undefined>>;

async function startOurs(): Promise<{ ports: Ports; nodes: EtcdNode[] }> {
  const [peerPort] = await freePorts(1);
  const [client, peer] = ['http://127.0.0.1:0', `http://127.0.0.1:${peerPort}`];
  const nodes = await Promise.all([
    EtcdNode.start({
      listenClientUrls: [client],
      listenMetricsUrls: [client],
      listenPeerUrls: [peer],
    }),
    EtcdNode.start({ listenClientUrls: [client], enablePprof: true }),
    EtcdNode.start({ listenClientUrls: [client], hostWhitelist: ['etcd.example'] }),
  ]);
  await Promise.all(nodes.map((node) => node.ready()));
  const [plain, pprof, hosts] = nodes;
  return {
    nodes,
    ports: {
      client: plain?.clientUrls[0],
      metrics: plain?.metricsUrls[0],
      peer,
      'client:pprof': pprof?.clientUrls[0],
      'client:hosts': hosts?.clientUrls[0],
    },
  };
}

describe('the endpoints of a member', () => {
  let ours: Awaited<ReturnType<typeof startOurs>>;

  beforeAll(async () => {
    ours = await startOurs();
  });
  afterAll(() => Promise.all(ours.nodes.map((node) => node.stop())));

  test.each(ASKED.map((row) => [named(row), row] as const))('%s', async (_, row) => {
    const { status, headers, body } = await ask(ours.ports[row.port] ?? '', row);
    expect({ status, type: typeOf(headers) }).toEqual({ status: row.status, type: row.type });
    expect(body).toMatch(new RegExp(row.answer));
    if (row.note.startsWith('`')) expect(DIFFERENCES).toContain(row.note.slice(0, -1));
  });

  test.each(SHOWN.map((row) => [named(row), row.note] as const))('%s: %s', (_, note) => {
    const [path = '', text = ''] = note.split(/: (.*)/);
    expect(existsSync(new URL(`../../${path}`, import.meta.url))).toBe(true);
    expect(file(`../../${path}`)).toContain(text);
  });
});
