/** A member from its start to its end, as a process: the lines that tools wait for, signals, the service manager. */
import { EtcdNode } from '../etcd-node.ts';
import type { EtcdNodeOptions } from '../options.ts';
import { isTlsUrl } from '../tls/tls-options.ts';
import { StartError } from '../start-error.ts';
import { EXIT_FAILURE, EXIT_REMOVED } from './exit-codes.ts';
import type { ProgramLogger } from './log/program-logger.ts';
import { notifyServiceManager } from './service/systemd.ts';

/** Starts a member. Resolves when it takes part; from then on signals and failures end the process. */
export async function runMember(options: EtcdNodeOptions, logger: ProgramLogger): Promise<void> {
  let node: EtcdNode;
  try {
    node = await EtcdNode.start(options);
  } catch (error) {
    logger.fatal('failed to start etcd-ts', { error });
    await logger.close();
    process.exit(exitCodeOf(error));
  }
  node.once('stopped', (reason) => {
    if (reason === undefined) return;
    logger.fatal('the member stopped', { error: reason });
    process.exit(exitCodeOf(reason));
  });
  listenToSignals(node, logger);
  sayWhere(node, logger);
  try {
    await node.ready();
  } catch (error) {
    // A signal came first, or a failure that is reported as it ends the member.
    logger.debug('the member ended before it took part', { error });
    return;
  }
  logger.info('ready to serve client requests');
  for (const url of node.clientUrls) {
    const said = isTlsUrl(url)
      ? 'serving client traffic securely'
      : 'serving client traffic insecurely; this is strongly discouraged!';
    logger.info(said, { traffic: 'grpc+http', address: url.replace(/^[a-z]+:\/\//, '') });
  }
  await notifyServiceManager('READY=1', process.env['NOTIFY_SOCKET'], logger);
}

function exitCodeOf(reason: unknown): number {
  return reason instanceof StartError && reason.code === 'REMOVED' ? EXIT_REMOVED : EXIT_FAILURE;
}

function sayWhere(node: EtcdNode, logger: ProgramLogger): void {
  const { name, dataDir, listenPeerUrls, initialAdvertisePeerUrls, advertiseClientUrls } =
    node.options;
  logger.info('now serving peer/client/metrics', {
    name,
    'data-dir': dataDir,
    'local-member-id': node.memberId,
    'cluster-id': node.clusterId,
    'initial-advertise-peer-urls': initialAdvertisePeerUrls,
    'listen-peer-urls': listenPeerUrls,
    'advertise-client-urls': advertiseClientUrls,
    'listen-client-urls': node.clientUrls,
  });
}

const SIGNAL_NAMES = { SIGTERM: 'terminated', SIGINT: 'interrupt' } as const;

/**
 * The first signal ends the member in order, a second one the process at once; either way the process ends by that
 * signal, as etcd does. SIGUSR2 switches the log to debug and back.
 */
function listenToSignals(node: EtcdNode, logger: ProgramLogger): void {
  let isStopping = false;
  const endBy = (signal: NodeJS.Signals): void => {
    for (const handled of Object.keys(SIGNAL_NAMES)) process.removeAllListeners(handled);
    process.kill(process.pid, signal);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isStopping) return endBy(signal);
      isStopping = true;
      logger.info('received signal; shutting down', { signal: SIGNAL_NAMES[signal] });
      void endInOrder(node, logger).then(() => endBy(signal));
    });
  }
  const { level } = logger;
  process.on('SIGUSR2', () => {
    logger.level = logger.level === level ? 'debug' : level;
    logger.info('changed the log level', { 'log-level': logger.level });
  });
}

async function endInOrder(node: EtcdNode, logger: ProgramLogger): Promise<void> {
  const { name, dataDir } = node.options;
  const fields = { name, 'data-dir': dataDir };
  await notifyServiceManager('STOPPING=1', process.env['NOTIFY_SOCKET'], logger);
  logger.info('closing etcd server', fields);
  try {
    await node.stop();
    logger.info('closed etcd server', fields);
    await logger.close();
  } catch (error) {
    logger.fatal('failed to stop', { error });
    process.exit(EXIT_FAILURE);
  }
}
