/**
 * One process at a time on a directory.
 *
 * Node has no flock, and a file with a process id lies after a crash. What the system itself gives up when a process
 * ends, however it ends, is a listening socket; so the lock is one, and asking whether it is held is connecting to it.
 *
 * Two of them: on Linux a socket in the abstract namespace, named after the directory's device and inode, which is taken
 * in one step and never stale; and everywhere the socket file `LOCK` in the directory, which a process in another
 * container on the same directory sees too. A dead socket file is put aside and replaced; only two processes in
 * different containers doing that in the same instant could both believe that they hold it.
 */
import { randomUUID } from 'node:crypto';
import { link, open, rename, stat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { DirectoryLock } from '../disk.ts';
import { DiskError } from '../disk-error.ts';

/** The name of the socket file. */
export const LOCK_NAME = 'LOCK';

/** Tries to replace a dead socket file, others doing the same meanwhile. */
const REPLACE_TRIES = 5;

/** How long a holder has to say which process it is; one that is stopped or busy holds the directory all the same. */
const ANSWER_LIMIT_MS = 1_000;

/** @throws DiskError `LOCKED`: says by which process, when that answers; any errno of the file system. */
export async function lockDirectory(path: string): Promise<DirectoryLock> {
  const servers: Server[] = [];
  try {
    if (process.platform === 'linux') servers.push(await claimAbstract(path));
    const file = await claimFile(path);
    servers.push(file.server);
    return {
      release: async () => {
        const held = servers.splice(0);
        if (held.length === 0) return;
        try {
          await file.remove();
        } finally {
          // What cannot be removed, from a disk that has become read-only, say, is dead all the same.
          for (const server of held) await close(server);
        }
      },
    };
  } catch (error) {
    for (const server of servers) await close(server);
    throw error;
  }
}

async function claimAbstract(path: string): Promise<Server> {
  const { dev, ino } = await systemCall(path, () => stat(path, { bigint: true }));
  const name = `\0etcd-ts/${dev}/${ino}`;
  try {
    return await listen(name);
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') throw locked(path, await holderOf(name));
    throw asDiskError(path, error);
  }
}

/** The socket file, made under a name of its own and then linked: a link fails where there is one already. */
async function claimFile(path: string): Promise<{ server: Server; remove: () => Promise<void> }> {
  const directory = await systemCall(path, () => open(path, 'r'));
  try {
    // A socket's path has at most about a hundred bytes; this one is short wherever the directory is.
    const short = process.platform === 'linux' ? `/proc/self/fd/${directory.fd}` : path;
    const own = `${LOCK_NAME}.${randomUUID()}`;
    const server = await systemCall(path, () => listen(join(short, own)));
    try {
      await linkLock({ path, short, own });
    } catch (error) {
      await close(server);
      throw error;
    } finally {
      await unlinkIfThere(join(path, own));
    }
    return { server, remove: () => unlinkIfThere(join(path, LOCK_NAME)) };
  } finally {
    await directory.close();
  }
}

async function linkLock({
  path,
  short,
  own,
}: {
  readonly path: string;
  readonly short: string;
  readonly own: string;
}): Promise<void> {
  for (let tries = 0; tries < REPLACE_TRIES; tries++) {
    try {
      await link(join(path, own), join(path, LOCK_NAME));
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw asDiskError(path, error);
    }
    const holder = await holderOf(join(short, LOCK_NAME));
    if (holder !== undefined) throw locked(path, holder);
    await putAside(path);
  }
  throw locked(path, 'others that start at the same time');
}

/** Removes a dead socket file. */
async function putAside(path: string): Promise<void> {
  const aside = join(path, `${LOCK_NAME}.${randomUUID()}`);
  try {
    await rename(join(path, LOCK_NAME), aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw asDiskError(path, error);
  }
  await unlinkIfThere(aside);
}

/**
 * Listens, and tells whoever connects which process this is, waiting for nobody's goodbye. The socket does not keep the
 * process alive.
 */
function listen(path: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(`process ${process.pid}`, () => socket.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, () => {
      server.off('error', reject);
      server.unref();
      resolve(server);
    });
  });
}

/** Who listens at a socket; undefined when nobody does. */
function holderOf(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect({ path });
    socket.setEncoding('utf8');
    socket.setTimeout(ANSWER_LIMIT_MS, () => {
      resolve('another process, which does not answer');
      socket.destroy();
    });
    socket.on('data', (text: string) => (said += text));
    socket.once('end', () => {
      resolve(said === '' ? 'another process' : said);
      socket.destroy();
    });
    socket.once('error', (error) => {
      const isDead = ['ECONNREFUSED', 'ENOENT', 'ENOTSOCK'].includes(codeOf(error) ?? '');
      resolve(isDead ? undefined : 'another process');
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw asDiskError(path, error);
  }
}

async function systemCall<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw asDiskError(path, error);
  }
}

function locked(path: string, holder: string | undefined): DiskError {
  const detail = `the directory is in use by ${holder ?? 'another process'}`;
  return new DiskError({ code: 'LOCKED', operation: 'lockDirectory', path, detail });
}

function asDiskError(path: string, cause: unknown): DiskError {
  if (cause instanceof DiskError) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new DiskError({
    code: codeOf(cause) ?? 'EIO',
    operation: 'lockDirectory',
    path,
    detail,
    cause,
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
