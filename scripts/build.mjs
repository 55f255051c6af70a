// npm run build: set-up, then dist/ of every package. Quick when nothing changed.
import './setup.mjs';
import { tool } from './lib.mjs';

tool('tsc', ['-b']);
