import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EtcdNode } from '../../src/etcd-node.ts';
import { type Exposed, readExposition } from './exposition.ts';

/** Rows of the table of etcd's metrics. */
const ROWS = readFileSync(new URL('metrics.tsv', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .slice(1)
  .map((line) => line.split('\t'))
  .map(([name = '', type = '', labels = '', , series = '', , buckets = '']) => ({
    name,
    type,
    labels: labels === '' ? [] : labels.split(','),
    series: series.split(','),
    buckets: buckets === '' ? [] : buckets.split(','),
  }))
  .filter(({ name }) => name.startsWith('etcd_') || !name.includes('*'));

const DIFFERENCES = readFileSync(
  new URL('../../../../docs/differences.md', import.meta.url),
  'utf8',
);

/** Whether the page of differences names a metric: in full, or by a prefix and `*`. */
function isDocumentedAsAbsent(name: string): boolean {
  return [...DIFFERENCES.matchAll(/`((?:etcd|go|promhttp)_\w*)(\*?)`/g)].some(
    ([, text = '', star]) => (star === '*' ? name.startsWith(text) : name === text),
  );
}

describe('the metrics of a member', () => {
  let node: EtcdNode;
  let page: ReadonlyMap<string, Exposed>;

  beforeAll(async () => {
    node = await EtcdNode.start({ metrics: 'extensive', listenClientUrls: ['http://127.0.0.1:0'] });
    await node.ready();
    await node.client().put('k', 'v');
    await node.client().get('k');
    await fetch(`${node.clientUrls[0]}/health`);
    await fetch(`${node.clientUrls[0]}/readyz`);
    page = readExposition(await (await fetch(`${node.clientUrls[0]}/metrics`)).text());
  });
  afterAll(() => node.stop());

  test.each(ROWS)('$name has the type, labels and buckets of etcd, or is documented', (row) => {
    const metric = page.get(row.name);
    if (metric === undefined) {
      expect(isDocumentedAsAbsent(row.name)).toBe(true);
      return;
    }
    expect(metric.type).toBe(row.type);
    for (const { labels } of metric.samples) {
      const names = Object.keys(labels).filter((name) => name !== 'le');
      expect(new Set(names)).toEqual(new Set(row.labels));
    }
    const [first] = metric.samples;
    if (row.buckets.length === 0 || first === undefined) return;
    const bounds = metric.samples
      .filter(({ name }) => name === `${row.name}_bucket`)
      .map(({ labels }) => labels['le']);
    expect(bounds.slice(0, row.buckets.length)).toEqual(row.buckets);
  });

  test('are those of etcd, of Node and of the process, and no others', () => {
    const known = new Set(ROWS.map(({ name }) => name));
    const strangers = [...page.keys()].filter(
      (name) => !known.has(name) && !/^(?:process|nodejs)_/.test(name),
    );
    expect(strangers).toEqual([]);
  });

  test('come in the order of their names, with every code of every method from the start', () => {
    const names = [...page.keys()].filter((name) => !/^(?:process|nodejs)_/.test(name));
    expect(names).toEqual([...names].sort());
    const handled = page.get('grpc_server_handled_total')?.samples ?? [];
    const methods = new Set(
      handled.map(({ labels }) => `${labels['grpc_service']}/${labels['grpc_method']}`),
    );
    expect(methods.has('etcdserverpb.KV/Put')).toBe(true);
    expect(handled.length).toBe(methods.size * 17);
  });

  test('are told without a door as well', async () => {
    expect([...readExposition(await node.metrics()).keys()]).toEqual([...page.keys()]);
  });
});

test('durations of calls are told only when asked for', async () => {
  const node = await EtcdNode.start();
  const page = await node.metrics();
  await node.stop();
  expect(page).not.toContain('grpc_server_handling_seconds');
});
