// npm run sim -- [OPTIONS]: the simulator; --help lists the options.
import './setup.mjs';
import { join } from 'node:path';
import { tool } from './lib.mjs';

const main = join('packages', 'sim', 'src', 'node', 'main.ts');
tool('tsx', ['--conditions=@etcd-ts/source', main, ...process.argv.slice(2)]);
