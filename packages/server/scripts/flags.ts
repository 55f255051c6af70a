/** Writes docs/flags.md from the table of flags. `npm run flags` */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { flagsDocument } from '../src/node/flags/document.ts';

writeFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'flags.md'), flagsDocument());
