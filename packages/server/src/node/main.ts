/** The bin `etcd-ts`: flags in, a served member out. */
import { readFileSync } from 'node:fs';
import { EtcdNode } from '../etcd-node.ts';
import { ETCD_VERSION } from '../services/version.ts';
import { StartError } from '../start-error.ts';
import { isTlsUrl } from '../tls/tls-options.ts';
import { resolveOptions } from '../options.ts';
import { UsageError } from './flags/command-line.ts';
import { LOG_LEVELS, type LogLevel, type Program } from './flags/program.ts';
import { readSettings, type RunSettings } from './flags/settings.ts';
import { flagsText, USAGE } from './flags/usage.ts';
import { jsonLogger, type JsonLogger } from './json-logger.ts';

/** Go's flag package and etcd's own checks end with these. */
const EXIT_USAGE = 2;
const EXIT_FAILURE = 1;

/** Runs the bin. Resolves when the node serves; the process then lives on until a signal or a failure ends it. */
export async function main(words: readonly string[]): Promise<void> {
  let logger = jsonLogger('info');
  let run: RunSettings;
  try {
    const settings = readSettings({
      words,
      environment: process.env,
      readFile: (path) => readFileSync(path, 'utf8'),
    });
    if (settings.action === 'help') return help();
    if (settings.action === 'version') return print(versionText());
    run = settings as RunSettings;
    const { program, remarks } = run;
    logger = jsonLogger(logLevelOf(program));
    for (const { level, message, fields } of remarks) logger[level](message, fields);
    resolveOptions({ ...run.options, logger });
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n${USAGE}\n`);
      process.exit(EXIT_USAGE);
    }
    logger.info('Running: ', { args: ['etcd-ts', ...words] });
    logger.warn('failed to verify flags', { error });
    process.exit(EXIT_FAILURE);
  }
  logger.info('Running: ', { args: ['etcd-ts', ...words] });
  try {
    await serve({ ...run.options, logger }, logger);
  } catch (error) {
    logger.fatal('failed to start etcd-ts', { error });
    process.exit(EXIT_FAILURE);
  }
}

/** The flags on stdout, how to call the program on stderr, as etcd does. */
function help(): void {
  process.stderr.write(`${USAGE}\n`);
  print(`${flagsText()}\n`);
}

function logLevelOf({ logger, logLevel }: Program): LogLevel {
  if (logger !== 'zap') {
    throw new StartError('BAD_OPTION', `unknown logger option "${logger}"`);
  }
  if (!LOG_LEVELS.includes(logLevel as LogLevel)) {
    // A panic there; what matters to scripts is the exit code.
    throw new UsageError(`unrecognized level: "${logLevel}"`);
  }
  return logLevel as LogLevel;
}

async function serve(
  options: Parameters<typeof EtcdNode.start>[0],
  logger: JsonLogger,
): Promise<void> {
  const node = await EtcdNode.start(options);
  const { name, dataDir, listenPeerUrls, initialAdvertisePeerUrls, advertiseClientUrls } =
    node.options;
  logger.info('now serving peer/client', {
    name,
    'data-dir': dataDir,
    'local-member-id': node.memberId,
    'cluster-id': node.clusterId,
    'initial-advertise-peer-urls': initialAdvertisePeerUrls,
    'listen-peer-urls': listenPeerUrls,
    'advertise-client-urls': advertiseClientUrls,
    'listen-client-urls': node.clientUrls,
  });
  node.once('stopped', (reason) => {
    if (reason === undefined) return;
    logger.fatal('the member stopped', { error: reason });
    process.exit(EXIT_FAILURE);
  });
  listenToSignals(node, logger);
  await node.ready();
  logger.info('ready to serve client requests');
  for (const url of node.clientUrls) {
    const address = url.replace(/^[a-z]+:\/\//, '');
    const isSecure = isTlsUrl(url);
    logger.info(
      isSecure
        ? 'serving client traffic securely'
        : 'serving client traffic insecurely; this is strongly discouraged!',
      { traffic: 'grpc+http', address },
    );
  }
}

/** The first signal ends the node in order, a second one at once; then the signal has its usual effect, as in etcd. */
function listenToSignals(node: EtcdNode, logger: JsonLogger): void {
  const names = { SIGTERM: 'terminated', SIGINT: 'interrupt' } as const;
  let isStopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const onSignal = (): void => {
      if (isStopping) process.exit(EXIT_FAILURE);
      isStopping = true;
      logger.info('received signal; shutting down', { signal: names[signal] });
      node.stop().then(
        () => {
          process.removeAllListeners(signal);
          process.kill(process.pid, signal);
        },
        (error: unknown) => {
          logger.fatal('failed to stop', { error });
          process.exit(EXIT_FAILURE);
        },
      );
    };
    process.on(signal, onSignal);
  }
}

function versionText(): string {
  return `etcd-ts Version: ${ETCD_VERSION}\nNode Version: ${process.version}\n`;
}

function print(text: string): void {
  process.stdout.write(text);
}

await main(process.argv.slice(2));
