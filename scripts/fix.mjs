// npm run fix: what the tools can mend by themselves.
import './setup.mjs';
import { tool } from './lib.mjs';

tool('oxlint', ['--type-aware', '--fix', '.']);
tool('oxfmt', ['.']);
