import { defineConfig } from 'vitest/config';

// One root config: sources are resolved through the `@etcd-ts/source` condition, so tests need no build.
const conditions = ['@etcd-ts/source'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'examples/**/*.test.ts',
      'e2e/**/*.test.ts',
      'tools/**/*.test.ts',
    ],
    testTimeout: 60_000,
    // What is polled for comes when the machine gets to it; its default of one second is a race with the load.
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    // Left alone it keeps one core for itself; process tests wait more than they compute.
    maxWorkers: '100%',
  },
});
