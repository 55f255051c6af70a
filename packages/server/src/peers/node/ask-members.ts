import { request } from 'node:http';
import { connectTo, type Dialling } from '../../tls/node/tls-dialer.ts';
import type { ClusterFacts } from '../peer-transport.ts';
import { APPLIED_INDEX_HEADER } from './peer-pages.ts';

/** A member that does not answer within so long is passed over. */
const ASK_TIMEOUT_MS = 2_000;

/** Longest list of members that is read. */
const MAX_ANSWER_BYTES: number = 4 * 1024 * 1024;

/**
 * Reads `/members` of a peer URL.
 *
 * @throws Error when nobody answers, or the answer is none.
 */
export async function askMembers(url: string, tls?: Dialling): Promise<ClusterFacts> {
  const socket = await connectTo(url, tls, { timeoutMs: ASK_TIMEOUT_MS });
  return new Promise((resolve, reject) => {
    const asked = request({
      path: '/members',
      host: new URL(url).host || 'localhost',
      timeout: ASK_TIMEOUT_MS,
      createConnection: () => socket,
    });
    asked.end();
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${ASK_TIMEOUT_MS} ms`)));
    asked.on('error', reject);
    asked.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > MAX_ANSWER_BYTES) asked.destroy(new Error('the answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        const cluster = response.headers['x-etcd-cluster-id'];
        if (response.statusCode !== 200 || typeof cluster !== 'string') {
          reject(new Error(`status ${response.statusCode}`));
          return;
        }
        try {
          const appliedIndex = Number(response.headers[APPLIED_INDEX_HEADER.toLowerCase()] ?? 0);
          if (!Number.isSafeInteger(appliedIndex)) throw new Error(`index ${appliedIndex}`);
          const members = parseMembers(text);
          resolve({ clusterId: BigInt(`0x${cluster}`), members, appliedIndex });
        } catch (cause) {
          reject(new Error('the answer is no list of members', { cause }));
        }
      });
    });
  });
}

interface MemberJson {
  readonly id: string;
  readonly name?: string;
  readonly peerURLs: string[];
  readonly clientURLs?: string[];
}

/** Ids are 64-bit numbers in etcd's JSON, which JSON.parse would round: they are quoted first. */
function parseMembers(text: string): ClusterFacts['members'] {
  const quoted = text.replaceAll(/"id":(\d+)/g, '"id":"$1"');
  const members = JSON.parse(quoted) as MemberJson[];
  return members.map(({ id, name, peerURLs, clientURLs }) => ({
    id: BigInt(id),
    name: name ?? '',
    peerUrls: peerURLs,
    clientUrls: clientURLs ?? [],
  }));
}
