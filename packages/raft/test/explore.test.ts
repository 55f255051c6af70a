import { describe, expect, test } from 'vitest';
import { explore, SCOPES } from '@etcd-ts/raft/testing';

/** `npm run raft:explore` goes a hundred times further. */
const STATES = 3_000;

describe('the exhaustive explorer', () => {
  test.each(SCOPES.map((scope) => [scope.name, scope] as const))('%s', (_, scope) => {
    const result = explore({ ...scope, statesMax: STATES });
    expect(result.isExhausted || result.states >= STATES).toBe(true);
  });

  test('a scope in which nothing may happen has one state', () => {
    const [scope] = SCOPES;
    if (scope === undefined) throw new Error('there are no scopes');
    expect(explore({ ...scope, termMax: 0, crashes: 0 })).toMatchObject({
      states: 1,
      transitions: 0,
      isExhausted: true,
    });
  });
});
