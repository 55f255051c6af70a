/** Whether addresses can be listened on, looked at before anything is written: nothing is made for a member that cannot serve. */
import { createServer, type Server } from 'node:net';
import { bindAddress, listenFailure } from '../bootstrap/urls.ts';

/**
 * Listens on all of them for a moment, on each as long as on the others, so that two that are the same are noticed.
 * Unix sockets are passed over: whoever listens on one takes it from whoever did before.
 *
 * @throws StartError LISTEN_FAILED.
 */
export async function checkFree(urls: readonly string[]): Promise<void> {
  const held: Server[] = [];
  try {
    for (const url of urls) {
      const address = bindAddress(url);
      if ('path' in address || address.port === 0) continue;
      held.push(await listening(address));
    }
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

function listening(address: { readonly host: string; readonly port: number }): Promise<Server> {
  const { host, port } = address;
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenFailure(address, error)));
    server.listen({ host, port }, () => resolve(server));
  });
}
