// npm run torture -- [--kills N] [--seconds N] [--seed N]: three members as processes, killed at random, nothing lost.
import './build.mjs';
import { tool } from './lib.mjs';

tool('tsx', ['--conditions=@etcd-ts/source', 'e2e/torture/main.ts', ...process.argv.slice(2)]);
