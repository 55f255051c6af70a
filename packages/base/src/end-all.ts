/** Ending several things of which each has to end, whatever becomes of the others. */

/**
 * Does every step, one after the other, also when one before it fails.
 *
 * @throws What the first step that failed threw, when all are done.
 */
export async function endAll(...steps: readonly (() => unknown)[]): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failure ??= { error };
    }
  }
  if (failure !== undefined) throw failure.error;
}
