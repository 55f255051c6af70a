import type { Socket } from 'node:net';
import type { Http2Stream } from '@etcd-ts/protocol/http2';
import { expect, test } from 'vitest';
import { HttpServer } from '../../src/listeners/node/http.ts';
import { serveOverHttp1 } from '../../src/listeners/node/http2-bridge.ts';

/** Serves one request that came over HTTP/2; gives the bytes of the answer's headers and body. */
function serve(headers: readonly string[]): Promise<string> {
  const http = new HttpServer({
    routes: new Map([
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
      close: () => done(new Uint8Array()),
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

test.each([
  ['a path that HTTP/1.1 cannot say', get('/a b')],
  ['a name that is none', get('/page', 'a b', 'c')],
  ['a value with a line end', get('/page', 'a', 'b\r\nc: d')],
  ['a method that is none', [':method', 'GE T', ':scheme', 'https', ':path', '/']],
])('%s is refused, and nothing breaks', async (_, headers) => {
  expect(await serve(headers)).toContain('400');
});
