/**
 * Ports for programs that are told theirs before they listen.
 *
 * They lie below those that the system gives to whoever asks for any, so that no connection of another test takes one in
 * between; and each process and thread has a block of its own, by its id, so that no other test is given the same.
 */
import { createServer } from 'node:net';
import { threadId } from 'node:worker_threads';

const FIRST_PORT = 10_000;
const BLOCK_PORTS = 100;
/** Up to port 20,000: what is documented for users begins behind it. */
const BLOCKS = 100;

let given = 0;

/** Ports of 127.0.0.1 that nobody listens on right now, and that this process was not given lately. */
export async function freePorts(count: number): Promise<number[]> {
  const block = FIRST_PORT + ((process.pid + threadId) % BLOCKS) * BLOCK_PORTS;
  const ports: number[] = [];
  for (let tried = 0; ports.length < count; tried++) {
    if (tried === BLOCK_PORTS) throw new Error(`no ${count} ports from ${block} on are free`);
    const port = block + (given++ % BLOCK_PORTS);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
