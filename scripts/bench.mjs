// npm run bench -- NAME [ARGUMENTS]: builds, and runs bench/NAME.ts on what is built, as users run it; without a name it
// lists them. (What runs the sources gives every closure its name anew each time it is made, which takes up to a quarter.)
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
await import('./build.mjs');
// It measures a listener that no package exports.
const conditions = name === 'grpc' ? ['--conditions=@etcd-ts/source'] : [];
tool('tsx', [...conditions, join('bench', `${name}.ts`), ...rest]);
