/**
 * A row of the table of flags. Command line, environment, configuration file, `--help` and docs/flags.md all come from
 * the rows, so that a flag is described once.
 *
 * To connect a flag: give {@link EtcdNodeOptions} an option that says what the flag means, make the node do it, and let
 * the row say `option: 'nameOfIt'` in place of `isPending: true`. The compiler holds kind and option together.
 */
import type { EtcdNodeOptions } from '../../options.ts';
import type { FeatureGate } from './feature-gates.ts';
import type { Kind } from './kinds.ts';
import type { Program } from './program.ts';

/** What a value of a flag goes into. */
export type Target =
  /** An option of the node. */
  | { readonly option: keyof EtcdNodeOptions }
  /** A setting of the program around it. */
  | { readonly program: keyof Program }
  /** The flag that took its place: the value counts as that one's. */
  | { readonly twinOf: string }
  /** The feature gate that took its place. */
  | { readonly gate: FeatureGate }
  /** Accepted; why it means nothing here is said in the documentation, and that it means nothing at the start. */
  | { readonly noEffect: string }
  /** Known, and refused with any value but its default. */
  | { readonly isPending: true };

/** What every row says. */
interface Description {
  /** The default, as `--help` shows it and as it is written on a command line. */
  readonly fallback: string;
  /** The default of etcd 3.5 where it is another one. */
  readonly fallbackIn35?: string;
  /** One sentence or two for `--help` and the documentation. */
  readonly help: string;
  /** Where it stands in a configuration file, with dots; the flag's own name where nothing is said. */
  readonly key?: string;
  /** First release of etcd that has it, when that is not 3.5 or earlier. */
  readonly since?: '3.6';
  /** Last release of etcd that has it. */
  readonly until?: '3.5';
  /** Logged when the flag is used: etcd's words about its end. */
  readonly deprecated?: string;
  /** The value does not belong into a log. */
  readonly isSecret?: boolean;
}

/** A row of the table. */
export interface Flag extends Description {
  readonly name: string;
  readonly kind: Kind;
  readonly target: Target;
}

/** Flags that `--help` shows together. */
export interface Family {
  readonly title: string;
  readonly flags: readonly Flag[];
}

type OptionFor<Value> = {
  [Option in keyof EtcdNodeOptions]-?: Value extends Exclude<EtcdNodeOptions[Option], undefined>
    ? Option
    : never;
}[keyof EtcdNodeOptions];

type ProgramFor<Value> = {
  [Setting in keyof Program]-?: Value extends Program[Setting] ? Setting : never;
}[keyof Program];

type Row<Value> = Description &
  (
    | { readonly option: OptionFor<Value> }
    | { readonly program: ProgramFor<Value> }
    | { readonly twinOf: string }
    | { readonly gate: FeatureGate }
    | { readonly noEffect: string }
    | { readonly isPending: true }
  );

/** Makes a row; the option must take what the kind gives. */
export function flag<Value>(name: string, kind: Kind<Value>, row: Row<Value>): Flag {
  return { ...row, name, kind, target: row as Target };
}

/** How an environment variable for a flag is called. */
export function environmentName(name: string): string {
  return `ETCD_${name.toUpperCase().replaceAll('-', '_')}`;
}
