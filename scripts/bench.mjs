// npm run bench -- NAME [ARGUMENTS]: runs bench/NAME.ts; without a name it lists them. What it measures comes from the
// sources, but for the simulator, which is measured as `npm run sim` runs it: built.
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
const isBuilt = name === 'sim';
if (isBuilt) await import('./build.mjs');
const conditions = isBuilt ? [] : ['--conditions=@etcd-ts/source'];
tool('tsx', [...conditions, join('bench', `${name}.ts`), ...rest]);
