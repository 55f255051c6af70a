/**
 * How the engine is set up for a simulation: one thread computes, and what the engine does beside it costs more than it
 * gives.
 *
 * Measured on many seeds in a row. With threads of its own the optimising compiler works on types that the run has left
 * behind, and the collector's helpers wait for one another; small young generations copy what would have died a moment
 * later, and large ones leave the processor's cache; and each full collection takes the machine code of closures with it
 * that only live as long as a run, to be made again in the hundred runs that follow. So full collections are rare, and a
 * process grows to 600 to 900 MB between them. Code that runs for the first time is compiled at once,
 * plainly: a run has more code that runs a few times than an interpreter should read.
 */
export const ENGINE_FLAGS: readonly string[] = [
  '--single-threaded',
  '--min-semi-space-size=32',
  '--max-semi-space-size=32',
  '--heap-growing-percent=1000',
  '--always-sparkplug',
];
