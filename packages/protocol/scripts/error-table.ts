// Writes docs/errors.md from the catalogue: npx tsx --conditions=@etcd-ts/source packages/protocol/scripts/error-table.ts
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CATALOGUE, ETCD_ERRORS, GENERIC_ERRORS, Status } from '../src/index.ts';

/** Where the table lies. */
export const errorTablePath: string = fileURLToPath(
  new URL('../../../docs/errors.md', import.meta.url),
);

/** The text of docs/errors.md. */
export function errorTable(): string {
  return `# Errors

Every operational failure is an \`EtcdError\`. Match on its \`code\`, which is stable; texts are etcd's, to the letter.
\`mayHaveApplied\` tells whether a failed write may have happened all the same; the column says what it is unless the
error itself knows better (an UNAVAILABLE before anything was sent certainly had no effect).

This page is generated from \`packages/protocol/src/catalogue.ts\`.

## Of etcd

${rows(Object.keys(ETCD_ERRORS) as (keyof typeof CATALOGUE)[])}

## Of gRPC, and of this library

${rows(Object.keys(GENERIC_ERRORS) as (keyof typeof CATALOGUE)[])}

## Retrying

- A read that fails with status UNAVAILABLE may be tried again, at another member.
- A write may be tried again when \`mayHaveApplied\` is false. Otherwise look at what is there first, or write in a way
  that can be repeated: a transaction that compares the revision it expects.
- INVALID_AUTH_TOKEN and AUTH_OLD_REVISION ask for a new token; \`EtcdClient\` gets one by itself.
- COMPACTED on a watch: read what is there now, and watch from the revision of that answer on.
`;
}

function rows(codes: readonly (keyof typeof CATALOGUE)[]): string {
  const head =
    '| code | status | text on the wire | when | may have applied |\n|---|---|---|---|---|';
  const lines = codes.map((code) => {
    const { status, message, when, mayHaveApplied } = CATALOGUE[code];
    const cells = [`\`${code}\``, `${status} ${Status[status]}`, `\`${message}\``, when];
    return `| ${[...cells, mayHaveApplied === true ? 'yes' : 'no'].join(' | ')} |`;
  });
  return [head, ...lines].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(errorTablePath, errorTable());
