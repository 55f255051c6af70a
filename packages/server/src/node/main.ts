/** The bin `etcd-ts`: flags in, a served member out. */
import { readFileSync } from 'node:fs';
import { resolveOptions } from '../options.ts';
import { isProxyCommand, runProxy } from '../proxy/node/proxy-main.ts';
import { ETCD_VERSION } from '../services/version.ts';
import { UsageError, withoutSecrets } from './flags/command-line.ts';
import { readSettings, type RunSettings } from './flags/settings.ts';
import { flagsText, USAGE } from './flags/usage.ts';
import { logStyle } from './log/log-style.ts';
import { DEFAULT_LOG_STYLE, programLogger } from './log/program-logger.ts';
import { defaultHost } from './default-host.ts';
import { EXIT_FAILURE, EXIT_USAGE } from './exit-codes.ts';
import { runMember } from './run-member.ts';

/** Runs the bin. Resolves when the node serves; the process then lives on until a signal or a failure ends it. */
export async function main(words: readonly string[]): Promise<void> {
  if (isProxyCommand(words)) return runProxy(words);
  let logger = programLogger(DEFAULT_LOG_STYLE);
  const running = (): void =>
    logger.info('Running: ', { args: ['etcd-ts', ...withoutSecrets(words)] });
  let run: RunSettings;
  try {
    const settings = readSettings({
      words,
      environment: process.env,
      readFile: (path) => readFileSync(path, 'utf8'),
      defaultHost,
    });
    if (settings.action === 'help') return help();
    if (settings.action === 'version') return print(versionText());
    run = settings as RunSettings;
    logger = programLogger(await logStyle(run.program));
    for (const { level, message, fields } of run.remarks) logger[level](message, fields);
    resolveOptions({ ...run.options, logger });
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n${USAGE}\n`);
      process.exit(EXIT_USAGE);
    }
    running();
    logger.warn('failed to verify flags', { error });
    process.exit(EXIT_FAILURE);
  }
  running();
  await runMember({ ...run.options, logger }, logger);
}

/** The flags on stdout, how to call the program on stderr, as etcd does. */
function help(): void {
  process.stderr.write(`${USAGE}\n`);
  print(`${flagsText()}\n`);
}

function versionText(): string {
  const { arch, platform, version } = process;
  return `etcd-ts Version: ${ETCD_VERSION}\nNode Version: ${version}\nNode OS/Arch: ${platform}/${arch}\n`;
}

function print(text: string): void {
  process.stdout.write(text);
}

await main(process.argv.slice(2));
