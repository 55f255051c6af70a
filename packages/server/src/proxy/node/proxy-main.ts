/** The programs beside the server: `etcd-ts gateway start` and `etcd-ts grpc-proxy start`. */
import type { Logger, LogLevel } from '../../logger.ts';
import { UsageError } from '../../node/flags/command-line.ts';
import { EXIT_FAILURE } from '../../node/exit-codes.ts';
import { DEFAULT_LOG_STYLE, programLogger } from '../../node/log/program-logger.ts';
import { nameResolver } from '../../node/name-resolver.ts';
import { notifyServiceManager } from '../../node/service/systemd.ts';
import {
  type CommandFlag,
  commandHelp,
  type CommandValues,
  readCommandFlags,
} from './command-flags.ts';
import { GATEWAY_FLAGS, startGateway } from './gateway-command.ts';
import { startGrpcProxy } from './grpc-proxy.ts';
import { GRPC_PROXY_FLAGS } from './grpc-proxy-flags.ts';

/** Longest that ending waits for calls that are still running, in milliseconds. */
const STOP_GRACE_MS = 1_000;

interface Command {
  readonly flags: readonly CommandFlag[];
  readonly start: (values: CommandValues, log: Logger) => Promise<() => Promise<void>>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  gateway: {
    flags: GATEWAY_FLAGS,
    start: async (values, log) => {
      const gateway = await startGateway(values, log, nameResolver());
      return () => gateway.close();
    },
  },
  'grpc-proxy': {
    flags: GRPC_PROXY_FLAGS,
    start: async (values, log) => {
      const proxy = await startGrpcProxy(values, log, nameResolver());
      return () => proxy.close(STOP_GRACE_MS);
    },
  },
};

/** Whether a command line is one of these programs. */
export function isProxyCommand(words: readonly string[]): boolean {
  return words[0] !== undefined && Object.hasOwn(COMMANDS, words[0]);
}

/** What is logged: more when --debug says so. */
export function proxyLogLevel(values: CommandValues): LogLevel {
  return values.get('debug') === true ? 'debug' : 'info';
}

/** Runs one of them until a signal ends it. */
export async function runProxy(words: readonly string[]): Promise<void> {
  const [name = '', verb, ...rest] = words;
  const { flags, start } = COMMANDS[name] as Command;
  const isHelp = verb === undefined || verb === '-h' || verb === '--help';
  if (isHelp) return void process.stdout.write(commandHelp(`${name} start`, flags));
  let values: CommandValues | undefined;
  try {
    if (verb !== 'start') throw new UsageError(`unknown command "${verb}" for "etcd-ts ${name}"`);
    values = readCommandFlags(rest, flags);
  } catch (error) {
    process.stderr.write(
      `Error: ${(error as Error).message}\n${commandHelp(`${name} start`, flags)}`,
    );
    process.exit(EXIT_FAILURE);
  }
  if (values === undefined) {
    return void process.stdout.write(commandHelp(`${name} start`, flags));
  }
  const logger = programLogger({ ...DEFAULT_LOG_STYLE, level: proxyLogLevel(values) });
  logger.info('Running: ', { args: ['etcd-ts', ...words] });
  try {
    const stop = await start(values, logger);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        logger.info('received signal; shutting down', { signal });
        const end = (): void => void process.kill(process.pid, signal);
        stop().then(end, end);
      });
    }
    await notifyServiceManager('READY=1', process.env['NOTIFY_SOCKET'], logger);
  } catch (error) {
    logger.fatal(`failed to start ${name}`, { error });
    await logger.close();
    process.exit(EXIT_FAILURE);
  }
}
