/** A stream of the JSON gateway over a WebSocket: messages of JSON both ways. */
import {
  errorFromWire,
  MessageQueue,
  type RequestOf,
  type ResponseOf,
  RPC_TABLE,
  type StreamCall,
  type StreamMethodName,
} from '@etcd-ts/protocol';
import { WebSocket } from 'ws';
import { messageFromJson } from '../../src/listeners/gateway/from-json.ts';
import { type JsonMember, readJson } from '../../src/listeners/gateway/json-value.ts';
import { messageToJson } from '../../src/listeners/gateway/to-json.ts';

/** Answers that wait for their reader; there is no way to hold the server back. */
const MAX_WAITING = 100_000;

/** Opens a stream at the gateway under this URL. */
export function openSocket<Method extends StreamMethodName>(
  url: string,
  method: Method,
): StreamCall<RequestOf<Method>, ResponseOf<Method>> {
  const { gatewayPaths, request: requests, response: responses } = RPC_TABLE[method];
  const socket = new WebSocket(`${url.replace('http', 'ws')}${gatewayPaths[0]}`);
  const heard = new MessageQueue<ResponseOf<Method>>(MAX_WAITING, () => socket.terminate());
  const unsent: string[] = [];
  socket.on('open', () => {
    for (const text of unsent.splice(0)) socket.send(text);
  });
  socket.on('message', (data: Buffer) => {
    const text = data.toString('utf8');
    const [{ name, value }] = membersOf(text) as [JsonMember];
    if (name === 'result')
      heard.push(messageFromJson(responses, value, text) as ResponseOf<Method>);
    else heard.end(errorOf(text));
  });
  socket.on('error', () => undefined);
  socket.on('close', () => heard.end());
  return {
    send: (message) => {
      const text = messageToJson(requests as never, message as never);
      if (socket.readyState === socket.OPEN) socket.send(text);
      else unsent.push(text);
      return true;
    },
    drained: () => Promise.resolve(),
    // A WebSocket has no half-close; the server answers all the same.
    end: () => undefined,
    responses: heard,
    cancel: () => socket.terminate(),
  };
}

function membersOf(text: string): readonly JsonMember[] {
  const value = readJson(text)?.value;
  if (value?.kind !== 'object' || value.members.length === 0) throw new Error(`no answer: ${text}`);
  return value.members;
}

function errorOf(text: string): Error {
  const { error } = JSON.parse(text) as { error: { code: number; message: string } };
  return errorFromWire(error.code, error.message);
}
