/**
 * A user by client certificate, over real TLS: told what the owner of a token would be told; a token on the same
 * connection counts before it, and a bad one is refused. Beside real etcd.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@etcd-ts/base';
import { GrpcChannel } from '@etcd-ts/client/node';
import { type Channel, EtcdError, RangeRequest } from '@etcd-ts/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { issue, makeAuthority } from '../../../../examples/tls/certificates.ts';
import { hasEtcd, realEtcd } from '../../../../tools/peers/real-etcd.ts';
import { EtcdNode } from '../../src/index.ts';
import { startRealEtcd, type Target } from '../differential/target.ts';
import { type Answers, ask } from './ask.ts';
import { ROWS, toldBy35, USER_EMPTY } from './rows.ts';

const peers = realEtcd();
const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-certificate-users-'));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const certFile = path('server.crt');
const keyFile = path('server.key');
const trustedCaFile = path('ca.crt');
/** The certificate of user `able`, for every connection. */
const tls = () => ({
  ca: readFileSync(trustedCaFile),
  cert: readFileSync(path('able.crt')),
  key: readFileSync(path('able.key')),
});

beforeAll(async () => {
  const authority = await makeAuthority('ca');
  writeFileSync(trustedCaFile, authority.certificate.toString('pem'));
  await issue(folder, 'server', authority, { commonName: 'server', hosts: ['127.0.0.1'] });
  await issue(folder, 'able', authority, { commonName: 'able', usage: 'client' });
});

async function startOurs(): Promise<Target & { readonly clientUrl: string }> {
  const node = await EtcdNode.start({
    listenClientUrls: ['https://127.0.0.1:0'],
    certFile,
    keyFile,
    trustedCaFile,
    clientCertAuth: true,
    bcryptCost: 4,
  });
  const clientUrl = node.clientUrls[0]!;
  const channel = new GrpcChannel(clientUrl, { tls: tls() });
  return {
    channel,
    clientUrl,
    stop: async () => {
      await channel.close();
      await node.stop();
    },
  };
}

/** Over these connections nobody is nobody. */
const askOver = ({ channel }: Target): Promise<Answers> =>
  ask((caller) => (caller === 'nobody' ? undefined : channel));

/** A read through the gateway, with the certificate. */
function postRange(clientUrl: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(`${clientUrl}/v3/kv/range`, { ...tls(), method: 'POST' }, (answer) => {
      let body = '';
      answer.on('data', (chunk) => (body += String(chunk)));
      answer.on('end', () => resolve({ status: answer.statusCode, body }));
    });
    asked.once('error', reject);
    asked.end('{"key":"YQ=="}');
  });
}

/** A read that a gateway passes on, over a connection with its own certificate. */
async function passedOn(channel: Channel): Promise<string> {
  const request = RangeRequest.fromPartial({ key: utf8('a') });
  const metadata = new Map([['grpcgateway-accept', '*/*']]);
  try {
    await channel.unary('etcdserverpb.KV/Range', request, { metadata });
    return 'ok';
  } catch (error) {
    const { status, message } = EtcdError.from(error);
    return `${status} ${message}`;
  }
}

const IGNORED =
  'CommonName of client sending a request against gateway will be ignored and not used as expected\n';

describe('at etcd-ts', () => {
  let target: Awaited<ReturnType<typeof startOurs>>;
  let answers: Answers;
  beforeAll(async () => {
    target = await startOurs();
    answers = await askOver(target);
  }, 60_000);
  afterAll(() => target?.stop());

  test('every call is answered as documented', () => {
    for (const row of ROWS) {
      for (const [caller, text] of answers.get(row)!) {
        const what = `${row.method} ${row.what ?? ''} by ${caller}`;
        expect(`${what}: ${text}`).toBe(`${what}: ${row.told[caller]}`);
      }
    }
  });

  test('the gateway takes no certificate for a user', async () => {
    await target.channel.unary('etcdserverpb.Auth/AuthEnable', {});
    expect(await postRange(target.clientUrl)).toEqual({ status: 400, body: IGNORED });
    // Nor does a gateway that stands before the member, whose calls say so.
    expect(await passedOn(target.channel)).toBe(USER_EMPTY);
  });
});

describe.runIf(hasEtcd(peers))('at real etcd', () => {
  let target: Awaited<ReturnType<typeof startRealEtcd>>;
  let answers: Answers;
  beforeAll(async () => {
    const flags = [
      ['--cert-file', certFile],
      ['--key-file', keyFile],
      ['--trusted-ca-file', trustedCaFile],
      ['--client-cert-auth', '--bcrypt-cost=4'],
    ].flat();
    target = await startRealEtcd('missing' in peers ? '' : peers.etcd, { flags, tls: tls() });
    answers = await askOver(target);
  }, 60_000);
  afterAll(() => target?.stop());

  test('every call is answered so too', () => {
    for (const row of ROWS) {
      for (const [caller, text] of answers.get(row)!) {
        const what = `${row.method} ${row.what ?? ''} by ${caller}`;
        expect(`${what}: ${text}`).toBe(`${what}: ${toldBy35(row, caller)}`);
      }
    }
  });

  test('the gateway takes no certificate for a user', async () => {
    await target.channel.unary('etcdserverpb.Auth/AuthEnable', {});
    expect(await postRange(target.clientUrl)).toEqual({ status: 400, body: IGNORED });
    // Nor does a gateway that stands before the member, whose calls say so.
    expect(await passedOn(target.channel)).toBe(USER_EMPTY);
  });
});
