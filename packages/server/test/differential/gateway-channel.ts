/**
 * A server's JSON gateway as a channel, which also keeps what the JSON of the last unary answer looked like. Streams go
 * over WebSockets: over HTTP/1.1 real etcd reads no more requests once it has begun to answer.
 */
import {
  type CallOptions,
  type Channel,
  errorFromWire,
  type RequestOf,
  type ResponseOf,
  RPC_TABLE,
  type StreamCall,
  type StreamMethodName,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import { messageFromJson } from '../../src/listeners/gateway/from-json.ts';
import { readJson } from '../../src/listeners/gateway/json-value.ts';
import { messageToJson } from '../../src/listeners/gateway/to-json.ts';
import { openSocket } from './gateway-socket.ts';

/** Members of which one server's answer may have more or fewer: they are its own. */
const OWN = new Set(['hash_revision', 'storageVersion', 'dbSizeQuota', 'downgradeInfo', 'version']);

/** The gateway of one server. */
export class GatewayChannel implements Channel {
  /** HTTP status, content type and the names and kinds of all members of the last answer. */
  lastShape = '';
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async unary<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    { metadata }: CallOptions = {},
  ): Promise<ResponseOf<Method>> {
    const rpc = RPC_TABLE[method];
    const [path] = rpc.gatewayPaths;
    const token = metadata?.get('token');
    const answer = await fetch(`${this.#url}${path}`, {
      method: 'POST',
      body: messageToJson(rpc.request, request),
      headers: token === undefined ? {} : { Authorization: token },
    });
    const text = await answer.text();
    const { status } = answer;
    this.lastShape = [status, answer.headers.get('content-type'), ...shape(JSON.parse(text))].join(
      '\n',
    );
    if (status !== 200) {
      const { code, message } = JSON.parse(text) as { code: number; message: string };
      throw errorFromWire(code, message);
    }
    const value = readJson(text)?.value;
    if (value === undefined) throw new Error(`no JSON: ${text}`);
    return messageFromJson(rpc.response, value, text);
  }

  stream<Method extends StreamMethodName>(
    method: Method,
  ): StreamCall<RequestOf<Method>, ResponseOf<Method>> {
    return openSocket(this.#url, method);
  }

  async close(): Promise<void> {
    // Connections are fetch's own.
  }
}

/** Paths of all leaves with the kinds of their values, each once: `header.revision string`. */
function shape(value: unknown, path = ''): readonly string[] {
  const leaves = new Set<string>();
  const walk = (one: unknown, at: string): void => {
    if (Array.isArray(one)) for (const item of one) walk(item, `${at}[]`);
    else if (typeof one === 'object' && one !== null) {
      for (const [name, member] of Object.entries(one)) {
        if (!OWN.has(name)) walk(member, `${at}.${name}`);
      }
    } else leaves.add(`${at} ${typeof one}`);
  };
  walk(value, path);
  return [...leaves].sort();
}
