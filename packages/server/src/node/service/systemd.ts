/**
 * Tells systemd how the service is (Type=notify): READY=1 when the member takes part, STOPPING=1 when it ends. Nothing
 * happens where no `NOTIFY_SOCKET` is given.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Logger } from '../../logger.ts';
import { type SendDatagram, unixDatagrams } from './unix-datagram.ts';

/** The states that are told. */
export type ServiceState = 'READY=1' | 'STOPPING=1';

/** `systemd-notify` is given so long, in milliseconds. */
const NOTIFY_LIMIT_MS = 5_000;

/**
 * Tells the service manager a state. A failure is logged, and otherwise without consequence.
 *
 * @param socket Value of NOTIFY_SOCKET; undefined: nobody wants to know.
 * @param datagrams How datagrams are sent from this process.
 */
export async function notifyServiceManager(
  state: ServiceState,
  socket: string | undefined,
  log: Logger,
  datagrams: () => Promise<SendDatagram | undefined> = unixDatagrams,
): Promise<void> {
  if (socket === undefined || socket === '') return;
  const isReady = state === 'READY=1';
  if (isReady) log.info('notifying init daemon');
  try {
    const send = await datagrams();
    if (send === undefined) await runSystemdNotify(state, socket);
    else send(socket, Buffer.from(`${state}\n`));
    if (isReady) log.info('successfully notified init daemon');
  } catch (error) {
    log.error('failed to notify systemd for readiness', { error });
  }
}

/** The way of machines for which there is no `koffi`: a service that is not root then needs NotifyAccess=all. */
async function runSystemdNotify(state: ServiceState, socket: string): Promise<void> {
  const env = { ...process.env, NOTIFY_SOCKET: socket };
  await promisify(execFile)('systemd-notify', ['--no-block', state], {
    env,
    timeout: NOTIFY_LIMIT_MS,
  });
}
