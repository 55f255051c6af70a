export { type ClassicBackendOptions, openClassicBackend } from './classic-backend.ts';
export { loopTurns } from './loop-turns.ts';
