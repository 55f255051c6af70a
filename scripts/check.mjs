// npm run check: lint, types and format; changes nothing but dist/.
import './setup.mjs';
import { tool } from './lib.mjs';

tool('oxfmt', ['--check', '.']);
tool('tsc', ['-b']);
tool('tsc', ['-p', 'tsconfig.check.json']);
tool('oxlint', ['--type-aware', '--deny-warnings', '.']);
