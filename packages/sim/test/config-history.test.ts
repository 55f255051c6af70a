import type { ConfState } from '@etcd-ts/raft';
import { describe, expect, it } from 'vitest';
import { ConfigHistory } from '../src/cluster/config-history.ts';

const config = (...voters: bigint[]): ConfState => ({
  voters,
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
});
const [one, two, three, four] = [config(1n), config(1n, 2n), config(1n, 3n), config(4n)];

describe('the configurations of a member', () => {
  it('are those of before as well, until it has sent something in a later turn', () => {
    const history = new ConfigHistory();
    history.begin(1, one);
    expect(history.inForce(1)).toEqual([one]);
    history.observe(1, two, 100);
    history.sends(1, 100);
    expect(history.inForce(1)).toEqual([one, two]);
    // A pause may lie between, and end now.
    history.sends(1, 500);
    history.sends(1, 500);
    expect(history.inForce(1)).toEqual([one, two]);
    expect(history.isSettled).toBe(false);
    history.sends(1, 501);
    expect(history.inForce(1)).toEqual([two]);
    expect(history.isSettled).toBe(true);
    expect(history.recent(1)).toEqual([one, two]);
  });

  it('are not touched by what others send, nor by looking at the same one again', () => {
    const history = new ConfigHistory();
    history.begin(1, one);
    history.observe(1, one, 50);
    expect(history.isSettled).toBe(true);
    history.observe(1, two, 100);
    for (const atUs of [200, 300]) history.sends(2, atUs);
    expect(history.inForce(1)).toEqual([one, two]);
  });

  it('are the last few, and one alone when a process begins', () => {
    const history = new ConfigHistory();
    history.begin(1, one);
    for (const [i, next] of [two, three, four].entries()) history.observe(1, next, i);
    expect(history.recent(1)).toEqual([two, three, four]);
    history.begin(1, four);
    expect(history.inForce(1)).toEqual([four]);
    expect(history.recent(1)).toEqual([four]);
    expect(history.inForce(2)).toEqual([]);
  });
});
