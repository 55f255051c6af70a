// npm run bench -- NAME [ARGUMENTS]: runs bench/NAME.ts from source; without a name it lists them.
import './setup.mjs';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, tool } from './lib.mjs';

const names = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length));
const [name, ...rest] = process.argv.slice(2);
if (name === undefined || !existsSync(join(root, 'bench', `${name}.ts`))) {
  console.error(`usage: npm run bench -- NAME, where NAME is one of: ${names.join(', ')}`);
  process.exit(2);
}
tool('tsx', ['--conditions=@etcd-ts/source', join('bench', `${name}.ts`), ...rest]);
