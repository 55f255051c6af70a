/** The algebra of configurations against a naive model: one role for each node and half. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  changeConf,
  type ConfChangeResult,
  type ConfigChange,
  type ConfigStep,
  type ConfState,
  type NodeId,
  simpleChange,
} from '@etcd-ts/raft';

const IDS: readonly NodeId[] = [1n, 2n, 3n, 4n, 5n];
const RUNS = { numRuns: 1000 };

const steps: fc.Arbitrary<ConfigStep[]> = fc.array(
  fc.record({
    op: fc.constantFrom('addVoter', 'addLearner', 'remove', 'update'),
    node: fc.constantFrom(...IDS),
  }),
  { maxLength: 4 },
);
const change: fc.Arbitrary<ConfigChange> = fc.record({
  steps,
  transition: fc.constantFrom('auto', 'implicit', 'explicit'),
  context: fc.constant(new Uint8Array(0)),
});

/** What each node is to be: in the incoming half, and whether it votes in the outgoing one. */
type Model = ReadonlyMap<
  NodeId,
  { readonly is: 'voter' | 'learner' | 'none'; readonly was: boolean }
>;

const START: ConfState = {
  voters: [1n, 2n],
  votersOutgoing: [],
  learners: [3n],
  learnersNext: [],
  autoLeave: false,
};

function modelOf(conf: ConfState): Model {
  return new Map(
    IDS.map((id) => {
      const isLearner = conf.learners.includes(id) || conf.learnersNext.includes(id);
      const is = conf.voters.includes(id) ? 'voter' : isLearner ? 'learner' : 'none';
      return [id, { is, was: conf.votersOutgoing.includes(id) }] as const;
    }),
  );
}

/** A learner that still votes in the outgoing half has to wait to be one. */
function confOf(model: Model, autoLeave: boolean): ConfState {
  const where = (test: (each: { is: string; was: boolean }) => boolean): NodeId[] =>
    IDS.filter((id) => test(model.get(id)!));
  return {
    voters: where(({ is }) => is === 'voter'),
    votersOutgoing: where(({ was }) => was),
    learners: where(({ is, was }) => is === 'learner' && !was),
    learnersNext: where(({ is, was }) => is === 'learner' && was),
    autoLeave,
  };
}

const ROLES = { addVoter: 'voter', addLearner: 'learner', remove: 'none' } as const;

function naive(conf: ConfState, { steps: list, transition }: ConfigChange): ConfState | string {
  const joint = conf.votersOutgoing.length > 0;
  const model = new Map(modelOf(conf));
  const before = conf.voters;
  if (list.length === 0) {
    if (!joint) return "can't leave a non-joint config";
    for (const [id, node] of model) model.set(id, { is: node.is, was: false });
    return confOf(model, false);
  }
  const enters = transition !== 'auto' || list.length > 1;
  if (joint) {
    return enters ? 'config is already joint' : "can't apply simple config change in joint config";
  }
  if (enters) for (const [id, node] of model) model.set(id, { ...node, was: node.is === 'voter' });
  for (const { op, node } of list) {
    if (op !== 'update') model.set(node, { ...model.get(node)!, is: ROLES[op] });
  }
  const result = confOf(model, enters && transition !== 'explicit');
  if (result.voters.length === 0) return 'removed all voters';
  const changed = IDS.filter((id) => before.includes(id) !== result.voters.includes(id));
  if (!enters && changed.length > 1) {
    return 'more than one voter changed without entering joint config';
  }
  return result;
}

const resultOf = (result: ConfChangeResult): ConfState | string =>
  result.ok ? result.conf : result.reason;

describe('configurations', () => {
  test('change as the naive model says, over any sequence of changes', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
        let conf = START;
        for (const each of changes) {
          const result = changeConf(conf, each);
          expect(resultOf(result)).toEqual(naive(conf, each));
          if (result.ok) conf = result.conf;
        }
      }),
      RUNS,
    );
  });

  test('decide together with their successor: every two quorums share a node', () => {
    const sets = IDS.reduce<readonly NodeId[][]>(
      (all, id) => [...all, ...all.map((set) => [...set, id])],
      [[]],
    );
    const decides = (conf: ConfState, set: readonly NodeId[]): boolean =>
      [conf.voters, conf.votersOutgoing].every(
        (half) =>
          half.length === 0 || 2 * half.filter((id) => set.includes(id)).length > half.length,
      );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), (changes) => {
        let conf = START;
        for (const each of changes) {
          const result = changeConf(conf, each);
          if (!result.ok) continue;
          for (const one of sets.filter((set) => decides(conf, set))) {
            const rest = IDS.filter((id) => !one.includes(id));
            expect(decides(result.conf, rest)).toBe(false);
          }
          conf = result.conf;
        }
      }),
      { numRuns: 200 },
    );
  });

  test('change at most one voter without a joint configuration, however many steps it takes', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const result = simpleChange(START, list);
        const next = naive(START, {
          steps: list,
          transition: 'explicit',
          context: new Uint8Array(0),
        });
        const voters = typeof next === 'string' ? [] : next.voters;
        const changed = IDS.filter((id) => START.voters.includes(id) !== voters.includes(id));
        if (list.length === 0) expect(result).toEqual({ ok: true, conf: START });
        else if (voters.length === 0) expect(resultOf(result)).toBe('removed all voters');
        else if (changed.length > 1) {
          expect(resultOf(result)).toBe(
            'more than one voter changed without entering joint config',
          );
        } else expect(result).toMatchObject({ ok: true, conf: { voters, votersOutgoing: [] } });
      }),
      RUNS,
    );
  });

  test('change nothing when a step is repeated', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('addVoter', 'addLearner', 'remove'),
        fc.constantFrom(...IDS),
        (op, node) => {
          const once: ConfigChange = {
            steps: [{ op, node }],
            transition: 'auto',
            context: new Uint8Array(0),
          };
          const first = changeConf(START, once);
          if (!first.ok) return;
          expect(resultOf(changeConf(first.conf, once))).toEqual(first.conf);
        },
      ),
      RUNS,
    );
  });
});
