// npm run setup: dependencies, exact from the lock file, by the pnpm that this project names. Quick when nothing changed.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { digest, isDone, markDone, root, run } from './lib.mjs';

const PNPM_VERSION = '12.21.0';

const manifests = ['packages', 'scripts', '.'].flatMap((folder) =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(root, folder, entry.name, 'package.json')),
);
const inputs = [
  ...['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'].map((name) => join(root, name)),
  ...manifests.filter((path) => !path.includes('node_modules')).sort(),
];

const before = digest(inputs);
if (!isDone('setup', before)) {
  const frozen = process.argv.includes('--update') ? '--no-frozen-lockfile' : '--frozen-lockfile';
  run('npx', ['--yes', `pnpm@${PNPM_VERSION}`, 'install', frozen], {
    env: { ...process.env, npm_config_loglevel: 'error' },
  });
  markDone('setup', digest(inputs));
}
await import('./generate.mjs');
