/** Writes docs/flags.md from the table; a test holds the file to it. */
import type { CommandFlag } from '../../proxy/node/command-flags.ts';
import { GATEWAY_FLAGS } from '../../proxy/node/gateway-command.ts';
import { GRPC_PROXY_FLAGS } from '../../proxy/node/grpc-proxy-flags.ts';
import { FEATURE_GATES, type GateRow } from './feature-gates.ts';
import { environmentName, type Family, type Flag } from './flag.ts';
import { keyOf } from './config-file.ts';
import { FAMILIES } from './table.ts';

const HEAD = `# Flags of etcd-ts

The server takes the flags of etcd 3.5 and 3.6. Written as Go's flag package reads them: \`--x=y\`, \`--x y\`, \`-x\`; a
boolean takes no next word (\`--pre-vote=false\`). This page is written from the table that the program reads
(\`npm run flags\`), and a test holds it to that table.

- **Environment**: \`ETCD_X\` for \`--x\`, with \`_\` for \`-\`. A flag beside its variable wins, with a warning (etcd ends
  there). Unknown variables that begin with \`ETCD_\` are warned of. Empty ones do not count.
- **Configuration file**: \`--config-file\`, YAML. Flags and environment are not read then. The key is the flag's name
  where no other is given below; \`a.b\` means \`b\` inside \`a\`. Durations are nanoseconds, as in etcd, or text such as
  \`1m30s\`. URLs are one text with commas, lists are YAML lists. Unknown keys are warned of.
- **Defaults** are those of etcd 3.6; where 3.5 has another one, it stands behind it.
- **Ends**: exit code 2 for a command line that cannot be read; 1 for a value that is refused, a start that fails, and a
  member that ends by itself; 0 for one that was removed from its cluster. SIGTERM and SIGINT end a member in order, a
  second one at once; either way the process ends by that signal. SIGUSR2 switches the log to debug and back.
- **In code**: \`EtcdNode.start({ option: value })\` takes the option in the last column, times in milliseconds.
`;

const COMMANDS_HEAD = `## Programs beside the server

\`etcd-ts gateway start\` forwards TCP to the members, \`etcd-ts grpc-proxy start\` bundles the watches and leases of many
clients. They take etcd's flags, as \`--x=y\`, \`--x y\` and, for a boolean, \`--x\`; no variables and no file. A command line
that cannot be read, a value that is refused and a start that fails end with exit code 1, SIGTERM and SIGINT end in order.
`;

/** The whole page. */
export function flagsDocument(): string {
  const commands = [
    COMMANDS_HEAD,
    commandText('gateway start', GATEWAY_FLAGS),
    commandText('grpc-proxy start', GRPC_PROXY_FLAGS),
  ];
  return [HEAD, ...FAMILIES.map(familyText), gatesText(), ...commands].join('\n');
}

function commandText(command: string, flags: readonly CommandFlag[]): string {
  const rows = flags.map(({ name, kind, fallback, help }) => {
    const sentence = `${help.charAt(0).toUpperCase()}${help.slice(1)}.`;
    const cells = [`\`--${name}\``, kind.name, fallback && `\`${fallback}\``, sentence];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  const head = '| flag | value | default | what it does |';
  return [`### ${command}`, '', head, '|---|---|---|---|', ...rows, ''].join('\n');
}

function familyText({ title, flags }: Family): string {
  const rows = flags.map(rowText);
  const head = '| flag | value | default | what it does | key in the file | option |';
  return [`## ${title}`, '', head, '|---|---|---|---|---|---|', ...rows, ''].join('\n');
}

function rowText(flag: Flag): string {
  const { name, kind, help } = flag;
  const key = keyOf(flag);
  const cells = [
    `\`--${name}\`<br>\`${environmentName(name)}\``,
    kind.name,
    defaultText(flag),
    `${help}${remarkText(flag)}`,
    key === name ? '' : `\`${key}\``,
    optionText(flag),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function defaultText({ fallback, fallbackIn35 }: Flag): string {
  const now = fallback === '' ? '' : `\`${fallback}\``;
  return fallbackIn35 === undefined ? now : `${now} (3.5: \`${fallbackIn35}\`)`;
}

function optionText({ target }: Flag): string {
  if ('option' in target) return `\`${target.option}\``;
  return 'program' in target ? 'program' : '';
}

function remarkText({ target, since, until, deprecated }: Flag): string {
  const parts: string[] = [];
  if ('noEffect' in target) parts.push(`**No effect**: ${target.noEffect}.`);
  if ('isPending' in target) parts.push('**Not supported yet**: refused unless it is the default.');
  if (since !== undefined) parts.push(`Since etcd ${since}.`);
  if (until !== undefined) parts.push(`Until etcd ${until}.`);
  if (deprecated !== undefined && since === undefined && until === undefined) {
    parts.push('Deprecated in etcd 3.6.');
  }
  return parts.map((part) => ` ${part}`).join('');
}

function gatesText(): string {
  const head = '| gate | default | what it does | option |';
  const rows = Object.entries(FEATURE_GATES).map(([name, row]: [string, GateRow]) => {
    const { fallback, help, option, noEffect, isPending } = row;
    const effect = noEffect === undefined ? '' : ` **No effect**: ${noEffect}.`;
    const pending = isPending === true ? ' **Not supported yet**.' : '';
    const target = option === undefined ? '' : `\`${option}\``;
    return `| \`${name}\` | \`${fallback}\` | ${help}${effect}${pending} | ${target} |`;
  });
  const groups = '`AllAlpha` and `AllBeta` stand for all gates of that maturity.';
  return ['## Feature gates', '', head, '|---|---|---|---|', ...rows, '', groups, ''].join('\n');
}
