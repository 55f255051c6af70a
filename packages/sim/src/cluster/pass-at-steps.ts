/** Crash points within a member's state: its entries, and the steps of its compactions. */
import type { PassPoint } from './crash-points.ts';
import type { State } from './ghost.ts';

/** Lets a state pass a point before and after each entry, and each step of a compaction. */
export function passAtSteps(state: State, pass: PassPoint): void {
  const apply = state.apply.bind(state);
  state.apply = (entry) => {
    pass('apply');
    const result = apply(entry);
    pass('applied');
    return result;
  };
  const passAtCompaction = (): void => {
    const { store } = state;
    const compactStep = store.compactStep.bind(store);
    store.compactStep = (entriesMax) => {
      pass('compact');
      const isMore = compactStep(entriesMax);
      pass('compacted');
      return isMore;
    };
  };
  passAtCompaction();
  state.observe({ replaced: passAtCompaction });
}
