// npm run generate: the wire codecs from the .proto files. Quick when no .proto file changed.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './lib.mjs';

const generator = join(root, 'packages', 'protocol', 'scripts', 'generate.mjs');
if (existsSync(generator)) await import(pathToFileURL(generator).href);
