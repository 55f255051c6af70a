/** The texts of `--help` and `--version`. */
import type { Flag } from './flag.ts';
import { FAMILIES } from './table.ts';

/** How the program is called; printed for a command line that cannot be read. */
export const USAGE = `Usage:

  etcd-ts [flags]
    Start an etcd-ts server.

  etcd-ts --version
    Show the version of etcd-ts.

  etcd-ts -h | --help
    Show the help information about etcd-ts.

  etcd-ts --config-file
    Path to the server configuration file. Other command line flags and environment variables are not read then.
`;

/** All flags with their defaults. Flags that are ignored are left out. */
export function flagsText(): string {
  return FAMILIES.filter(({ title }) => title !== 'Ignored')
    .map(({ title, flags }) => `${title}:\n${flags.map(flagText).join('')}`)
    .join('\n');
}

function flagText({ name, fallback, help, target }: Flag): string {
  const effect = 'noEffect' in target ? ` No effect: ${target.noEffect}.` : '';
  return `  --${name} '${fallback}'\n    ${help}${effect}\n`;
}
