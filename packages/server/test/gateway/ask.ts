/** Asks over HTTP/1.1 as curl does, and gives what two servers may be compared by. */
import { request } from 'node:http';

/** A request. */
export interface Question {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Lines of the answer after which to hang up, for streams without an end. */
  readonly lines?: number;
}

/** What came back, as far as it does not depend on the server's identity or the time. */
export interface Comparable {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Headers that say nothing of the answer. */
const PASSED_OVER = new Set([
  'date',
  'content-length',
  'connection',
  'keep-alive',
  'transfer-encoding',
]);

/** Values that belong to one server. */
const OWN =
  /"(cluster_id|member_id|raft_term|memberID|leader|ID|raftIndex|raftTerm|raftAppliedIndex|dbSize|dbSizeInUse|token|lease|hash|version|peerURLs|clientURLs)":\s*("[^"]*"|\d+|\[[^\]]*\])/g;

/** Fields of etcd 3.6 that 3.5 does not have. */
const OF_36 = /,"(?:storageVersion|dbSizeQuota|hash_revision)":"[^"]*"|,"downgradeInfo":\{\}/g;

/** Asks, and hears the answer out (or as many lines of it as wanted). */
export function ask(base: string, question: Question): Promise<Comparable> {
  const { hostname: host, port } = new URL(base);
  const { method, path, body, headers = {}, lines = Infinity } = question;
  return new Promise((resolve, reject) => {
    const call = request({ host, port, method, path, headers, agent: false }, (response) => {
      let text = '';
      const done = (): void => {
        call.destroy();
        resolve({
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(
            Object.entries(response.headers).filter(([name]) => !PASSED_OVER.has(name)),
          ),
          body: comparable(text),
        });
      };
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
        if (text.split('\n').length > lines) done();
      });
      response.on('end', done);
      response.on('error', done);
    });
    call.on('error', reject);
    call.end(body);
  });
}

/** JSON without white space, protojson's non-breaking spaces, and what is a server's own. */
function comparable(text: string): string {
  const plain = text.replaceAll('\u00A0', ' ');
  try {
    return plain
      .trim()
      .split('\n')
      .map((line) => JSON.stringify(JSON.parse(line.replace(OWN, '"$1":"*"'))).replace(OF_36, ''))
      .join('\n');
  } catch {
    return plain;
  }
}
