/** Where log lines go: the standard streams, the journal, or files. Writing is synchronous. */
import { closeSync, openSync } from 'node:fs';
import { StartError } from '../../start-error.ts';
import { systemWords } from '../system-words.ts';
import { journal } from './journal.ts';
import { type Rotation, RotatingFile } from './rotating-file.ts';
import { writeAll } from './write-all.ts';

/** A place for log lines. */
export interface LogOutput {
  /** Writes one line, its end included. */
  write(line: string): void;
  /** Waits for what goes on behind the scenes; harmless when repeated. */
  close(): Promise<void>;
}

const DESCRIPTORS = { stdout: 1, stderr: 2 } as const;

/** A standard stream of the process. */
export function standardOutput(name: keyof typeof DESCRIPTORS): LogOutput {
  return {
    write: (line) => writeAll(DESCRIPTORS[name], line),
    close: () => Promise.resolve(),
  };
}

/**
 * Opens the outputs that `--log-outputs` names: `default` and `stderr`, `stdout`, `systemd/journal`, or files to append
 * to.
 *
 * @param rotation Of the one file that is named; undefined: files grow.
 * @throws StartError BAD_OPTION in etcd's words: outputs that do not go together, or a file that cannot be opened.
 */
export async function openOutputs(
  names: readonly string[],
  rotation: Rotation | undefined,
): Promise<readonly LogOutput[]> {
  const targets = names.length === 0 ? ['default'] : names;
  check(targets, rotation !== undefined);
  const outputs: LogOutput[] = [];
  for (const target of targets) outputs.push(await open(target, rotation));
  return outputs;
}

const STREAMS: ReadonlySet<string> = new Set(['default', 'stderr', 'stdout', 'systemd/journal']);

function check(targets: readonly string[], isRotated: boolean): void {
  const fail = (message: string): never => {
    throw new StartError('BAD_OPTION', message);
  };
  if (targets.length > 1 && targets.includes('default')) {
    fail('multi logoutput for "default" is not supported yet');
  }
  const [first = ''] = targets;
  if (isRotated && (targets.length !== 1 || STREAMS.has(first))) {
    fail('--log-outputs requires a single file path when --log-rotate-config-json is defined');
  }
}

async function open(target: string, rotation: Rotation | undefined): Promise<LogOutput> {
  if (target === 'stdout') return standardOutput('stdout');
  if (target === 'default' || target === 'stderr') return standardOutput('stderr');
  if (target === 'systemd/journal') return journal();
  try {
    return rotation === undefined ? fileOutput(target) : new RotatingFile(target, rotation);
  } catch (cause) {
    const why = `open ${target}: ${systemWords(cause)}`;
    throw new StartError('BAD_OPTION', `open sink "${target}": ${why}`, { cause });
  }
}

function fileOutput(path: string): LogOutput {
  const descriptor = openSync(path, 'a', 0o600);
  let isOpen = true;
  return {
    write: (line) => {
      if (isOpen) writeAll(descriptor, line);
    },
    close: () => {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
      return Promise.resolve();
    },
  };
}
