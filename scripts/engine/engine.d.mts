/** See engine.mjs. */
export function simulationNode(): string;
