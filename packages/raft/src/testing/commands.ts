import { Arguments } from './arguments.ts';
import { CLUSTER_COMMANDS } from './commands-cluster.ts';
import { REQUEST_COMMANDS } from './commands-requests.ts';
import { WORK_COMMANDS } from './commands-work.ts';
import type { Directive } from './directive.ts';
import { TranscriptEnvironment } from './environment.ts';
import type { TranscriptInterpreter } from './transcript.ts';

/** One command of a transcript. It prints to the environment; an error's text becomes output too. */
export type Command = (env: TranscriptEnvironment, args: Arguments, input: string) => void;

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ...CLUSTER_COMMANDS,
  ...REQUEST_COMMANDS,
  ...WORK_COMMANDS,
]);

/** Names of all commands that interaction transcripts know. */
export const INTERACTION_COMMANDS: readonly string[] = [...COMMANDS.keys()];

/**
 * Runs transcripts of several nodes that talk to one another (etcd's `interaction` tests).
 *
 * Commands of etcd print what etcd's core prints; those marked as ours add what its tests cannot do:
 * reads, duplicates, held messages, crashes between writing and sending, typed outcomes.
 */
export class InteractionInterpreter implements TranscriptInterpreter {
  readonly #env = new TranscriptEnvironment();

  run(directive: Directive): string {
    const command = COMMANDS.get(directive.command);
    if (command === undefined) throw new Error(`unknown command ${directive.command}`);
    const env = this.#env;
    try {
      command(env, new Arguments(directive), directive.input);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const printed = env.output.take();
      return printed === 'ok' ? error.message : `${printed}\n${error.message}`;
    }
    return env.output.take();
  }
}
