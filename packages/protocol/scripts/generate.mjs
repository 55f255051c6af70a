// Generates src/gen/ (interfaces and codecs) from proto/. Run by `npm run setup`; quick when nothing changed.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digest, isDone, markDone } from '../../../scripts/lib.mjs';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..');
const protoFolder = join(folder, 'proto');
const outFolder = join(folder, 'src', 'gen');

const protos = filesBelow(protoFolder, '.proto');
const inputs = [...protos, ...filesBelow(join(folder, 'scripts'), '.mjs')];
const before = digest(inputs);
if (!isDone('generate', before) || !existsSync(outFolder)) {
  const { generate } = await import('./codegen.mjs');
  const names = protos.map((path) => relative(protoFolder, path));
  const written = generate(protoFolder, names).map(([name, text]) => {
    const path = join(outFolder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  });
  for (const path of filesBelow(outFolder, '.ts')) if (!written.includes(path)) rmSync(path);
  markDone('generate', before);
}

/** All files below a folder with this ending, sorted. */
function filesBelow(path, ending) {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
