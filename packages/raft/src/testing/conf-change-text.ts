import { EMPTY_BYTES, utf8 } from '@etcd-ts/base';
import type { ConfigChange, ConfigStep } from '../index.ts';

/** A change's context by which transcripts remember that it was proposed in etcd's older form. */
export const V1_CONTEXT = 'v1';

/**
 * Reads `v1 l2 r3 u4`: voter, learner, remove, update.
 *
 * @throws Error for anything else.
 */
export function parseSteps(text: string): readonly ConfigStep[] {
  return text
    .split(/\s+/)
    .filter((token) => token !== '')
    .map(parseStep);
}

function parseStep(token: string): ConfigStep {
  const match = /^([vlru])(\d+)$/.exec(token);
  if (match === null) throw new Error(`unknown configuration step "${token}"`);
  return { op: stepOp(match[1] ?? ''), node: BigInt(match[2] ?? '') };
}

function stepOp(letter: string): ConfigStep['op'] {
  switch (letter) {
    case 'v':
      return 'addVoter';
    case 'l':
      return 'addLearner';
    case 'r':
      return 'remove';
    default:
      return 'update';
  }
}

/**
 * A change from its transcript form.
 *
 * @throws Error when the older form is asked for with more than one step or a transition.
 */
export function parseChange(
  text: string,
  options: { readonly v1: boolean; readonly transition: ConfigChange['transition'] },
): ConfigChange {
  const steps = parseSteps(text);
  if (options.v1) {
    if (steps.length > 1) throw new Error('can only carry out one change in V1 format');
    if (options.transition !== 'auto')
      throw new Error("v1 conf change can't use an explicit transition");
  }
  return {
    steps,
    transition: options.transition,
    context: options.v1 ? utf8(V1_CONTEXT) : EMPTY_BYTES,
  };
}
