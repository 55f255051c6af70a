import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Http2Stream } from '@etcd-ts/protocol/http2';
import { expect, test } from 'vitest';
import { HttpServer } from '../../src/listeners/node/http.ts';
import { serveOverHttp1 } from '../../src/listeners/node/http2-bridge.ts';

/** An answer that breaks off. */
async function* cut(): AsyncGenerator<string> {
  yield 'the beginning';
  await Promise.resolve();
  throw new Error('no more');
}

/** Serves one request that came over HTTP/2; gives the bytes of the answer's headers and body. */
function serve(headers: readonly string[]): Promise<string> {
  const http = new HttpServer({
    routes: new Map([
      ['/cut', { answer: () => Promise.resolve({ status: 200, contentType: 'a/b', body: cut() }) }],
      ['/page', { answer: () => Promise.resolve({ status: 200, contentType: 'a/b', body: 'p' }) }],
    ]),
    access: { origins: ['*'], hosts: ['good.example'] },
  });
  const heard: string[] = [];
  const hear = (bytes: Uint8Array): void => {
    heard.push(Buffer.from(bytes).toString('latin1'));
  };
  return new Promise((resolve) => {
    const done = (bytes: Uint8Array): void => {
      hear(bytes);
      http.close();
      resolve(heard.join(''));
    };
    const stream = {
      headers,
      isRemoteClosed: true,
      hasSentHeaders: false,
      respond: hear,
      write: (bytes: Uint8Array) => {
        hear(bytes);
        return true;
      },
      writeLast: done,
      end: done,
      reset: (code: number) => done(Buffer.from(`, reset with ${code}`)),
    };
    const caller = { remoteAddress: '::1', remotePort: 1, encrypted: true };
    serveOverHttp1(stream as unknown as Http2Stream, caller as unknown as Socket, http);
  });
}

const get = (path: string, ...more: readonly string[]): string[] => [
  ':method',
  'GET',
  ':scheme',
  'https',
  ':path',
  path,
  ...more,
];

test('a page is answered, for whatever host since the connection is encrypted', async () => {
  expect(await serve(get('/page', ':authority', 'evil.example'))).toMatch(/a\/b.*p$/s);
});

test('an answer that is cut off is reset, so that its beginning does not pass for the whole', async () => {
  expect(await serve(get('/cut'))).toMatch(/, reset with 2$/);
});

test('whoever serves hears that the client is gone, so that no watch goes on for nobody', async () => {
  const idle = { headers: get('/v3/watch'), isRemoteClosed: true, end: () => undefined };
  const stream = idle as unknown as Http2Stream;
  const caller = { remoteAddress: '::1', remotePort: 1, encrypted: true };
  const gone = new Promise<void>((resolve) => {
    const accept = (connection: Duplex): void => {
      connection.resume().once('close', () => resolve());
    };
    serveOverHttp1(stream, caller as unknown as Socket, { accept });
  });
  stream.user?.onClose();
  await gone;
});

test.each([
  ['a path that HTTP/1.1 cannot say', get('/a b')],
  ['a name that is none', get('/page', 'a b', 'c')],
  ['a value with a line end', get('/page', 'a', 'b\r\nc: d')],
  ['a method that is none', [':method', 'GE T', ':scheme', 'https', ':path', '/']],
])('%s is refused, and nothing breaks', async (_, headers) => {
  expect(await serve(headers)).toContain('400');
});
