import { must } from '@etcd-ts/base';

/** The middle of some values, the upper one of two; there is at least one. */
export function median(values: readonly number[]): number {
  return must([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)], 'value');
}
