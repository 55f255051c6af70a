/**
 * npm run bench -- large-range [KEYS [FOLDER [json|grpc|stream]]]: what puts take beside a range of a million keys, as JSON through the
 * gateway, over gRPC and as a stream, and how far the member's memory grows for it.
 *
 * A member alone on disk in a process of its own. The ranges are read, and dropped, by a second one; the puts come one
 * after the other from this one. FOLDER keeps the data, so that a later run need not fill it again.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type EtcdClient, op } from '@etcd-ts/client';
import { connect, GrpcChannel } from '@etcd-ts/client/node';
import { RangeRequest } from '@etcd-ts/protocol';
import { head, putsDuring, putsFor, row } from './beside/latency.ts';
import { type Program, Running } from './recovery/program.ts';

const VALUE: Uint8Array = Buffer.alloc(64, 0x76);
const TXN_OPS = 128;
const LANES = 16;
const NORMAL_MS = 4_000;
/** From `key/` to its end. */
const ALL = { key: 'a2V5Lw==', range_end: 'a2V5MA==' };

const HOW = ['json', 'grpc', 'stream'] as const;
type How = (typeof HOW)[number];

/** What is asked of the second process. */
interface Asked {
  readonly url: string;
  readonly how: How;
}

async function readJson(url: string): Promise<string> {
  const asked = request(`${url}/v3/kv/range`, { method: 'POST' });
  asked.end(JSON.stringify(ALL));
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let bytes = 0;
  for await (const chunk of answer) bytes += (chunk as Buffer).length;
  return `${answer.statusCode}, ${bytes} bytes`;
}

async function readGrpc(url: string, how: 'grpc' | 'stream'): Promise<string> {
  const channel = new GrpcChannel(url);
  const range = RangeRequest.fromPartial({
    key: Buffer.from('key/'),
    rangeEnd: Buffer.from('key0'),
  });
  let keys = 0;
  if (how === 'grpc') {
    keys = (await channel.unary('etcdserverpb.KV/Range', range)).kvs.length;
  } else {
    const stream = channel.stream('etcdserverpb.KV/RangeStream');
    stream.send(range);
    stream.end();
    for await (const { rangeResponse } of stream.responses) keys += rangeResponse?.kvs.length ?? 0;
  }
  await channel.close();
  return `${keys} keys`;
}

function serveReads(): void {
  process.on('message', ({ url, how }: Asked) => {
    const read = how === 'json' ? readJson(url) : readGrpc(url, how);
    read.then(
      (text) => process.send?.(text),
      (error: unknown) => process.send?.(String(error)),
    );
  });
}

async function fill(client: EtcdClient, keys: number): Promise<void> {
  let made = 0;
  const lane = async (): Promise<void> => {
    while (made < keys) {
      const from = made;
      made += TXN_OPS;
      const count = Math.min(TXN_OPS, keys - from);
      const puts = Array.from({ length: count }, (_, i) =>
        op.put(`key/${String(from + i).padStart(10, '0')}`, VALUE),
      );
      await client
        .txn()
        .do(...puts)
        .commit();
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** The program, on a data directory of so many keys: filled now, unless an earlier run did. */
async function filled(folder: string, keys: number): Promise<Program> {
  const command = [fileURLToPath(new URL('../node_modules/.bin/etcd-ts', import.meta.url))];
  const program = { name: 'etcd-ts', command, dataDir: join(folder, `keys-${keys}`) };
  if (existsSync(program.dataDir)) return program;
  const running = await Running.start(program);
  const client = connect({ endpoints: [`http://${running.endpoint}`] });
  await fill(client, keys);
  await client.close();
  await running.kill('SIGTERM');
  return program;
}

/** One kind of range, of a member that was started for it: what another has left in memory does not count. */
async function measure(program: Program, how: How): Promise<void> {
  const member = await Running.start(program);
  const url = `http://${member.endpoint}`;
  const reader = fork(fileURLToPath(import.meta.url), ['--reads']);
  const client = connect({ endpoints: [url] });
  const ask = async (): Promise<string> => {
    reader.send({ url, how });
    const [text] = (await once(reader, 'message')) as [string];
    return text;
  };
  await putsFor(client, 1, 500);
  const normal = await putsFor(client, 1, NORMAL_MS);
  row('nothing else', normal);
  const before = member.residentBytes();
  member.forgetPeak();
  const beganMs = performance.now();
  const answer = ask();
  const beside = await putsDuring(client, 1, answer);
  const tookMs = Math.round(performance.now() - beganMs);
  const peak = member.peakResidentBytes();
  row(`${how}, ${tookMs} ms, ${megabytes(before)} to ${megabytes(peak)} MB`, beside, normal);
  console.log(`  ${await answer}`);
  await client.close();
  reader.kill();
  await member.kill('SIGTERM');
}

async function main(): Promise<void> {
  const [keys = 1_000_000, kept, wanted] = process.argv.slice(2);
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'etcd-ts-bench-'));
  const program = await filled(folder, Number(keys));
  head(`${keys} keys`);
  for (const how of HOW) if (wanted === undefined || wanted === how) await measure(program, how);
  if (kept === undefined) rmSync(folder, { recursive: true, force: true });
}

function megabytes(bytes: number): number {
  return Math.round(bytes / (1 << 20));
}

if (process.argv[2] === '--reads') serveReads();
else await main();
