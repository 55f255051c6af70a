export { type ClassicBackendOptions, openClassicBackend } from './classic-backend.ts';
