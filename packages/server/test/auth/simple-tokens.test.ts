import { expect, test } from 'vitest';
import type { Clock, Random } from '../../src/clock.ts';
import { SimpleTokens, simpleTokenPrefix } from '../../src/auth/simple-tokens.ts';

function clockAt(start: number): Clock & { nowMs: number } {
  return {
    nowMs: start,
    monotonicMs() {
      return this.nowMs;
    },
    wallMs: () => 0,
    after: () => ({ cancel: () => undefined }),
    soon: () => undefined,
  };
}

test('a token lives for its time to live after the last use', () => {
  const clock = clockAt(1_000);
  const tokens = new SimpleTokens(clock, { ttlMs: 100 });
  tokens.assign('t', 'alice');
  clock.nowMs += 99;
  expect(tokens.userOf('t')).toBe('alice');
  clock.nowMs += 99;
  expect(tokens.userOf('t')).toBe('alice');
  clock.nowMs += 100;
  expect(tokens.userOf('t')).toBeUndefined();
  expect(tokens.size).toBe(0);
});

test('revoking a user voids all of its tokens and no other', () => {
  const tokens = new SimpleTokens(clockAt(0));
  for (const token of ['a1', 'a2']) tokens.assign(token, 'alice');
  tokens.assign('b', 'bob');
  tokens.revokeUser('alice');
  expect(['a1', 'a2', 'b'].map((token) => tokens.userOf(token))).toEqual([
    undefined,
    undefined,
    'bob',
  ]);
  tokens.clear();
  expect(tokens.userOf('b')).toBeUndefined();
});

test('beyond the limit the token unused for longest is forgotten', () => {
  const tokens = new SimpleTokens(clockAt(0), { limit: 2 });
  tokens.assign('a', 'u');
  tokens.assign('b', 'u');
  tokens.userOf('a');
  tokens.assign('c', 'u');
  expect(['a', 'b', 'c'].map((token) => tokens.userOf(token))).toEqual(['u', undefined, 'u']);
});

test('the random part is sixteen letters, whatever bytes are drawn', () => {
  let next = 0;
  const random: Random = {
    uint32: () => 0,
    bytes: (length) => Uint8Array.from({ length }, () => (next = (next + 37) % 256)),
  };
  for (let i = 0; i < 50; i++) expect(simpleTokenPrefix(random)).toMatch(/^[A-Za-z]{16}$/);
});
