// npm run sim -- [OPTIONS]: the simulator; --help lists the options. It runs what is built: a loader that makes code of
// the sources as they are imported names every function anew each time it is made, which costs a fifth of the time.
// On which Node it runs: engine/engine.mjs.
import './build.mjs';
import { join } from 'node:path';
import process from 'node:process';
import { simulationNode } from './engine/engine.mjs';
import { run } from './lib.mjs';

const { ENGINE_FLAGS } = await import('../packages/sim/dist/node/engine-flags.js');
const main = join('packages', 'sim', 'dist', 'node', 'main.js');
// Who is interrupted is the simulator, which tells what it has seen: this waits for it.
process.on('SIGINT', () => undefined);
run(simulationNode(), [...ENGINE_FLAGS, main, ...process.argv.slice(2)]);
