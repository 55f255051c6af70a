import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const folder = fileURLToPath(new URL('../proto', import.meta.url));

/** The .proto files, read by protobufjs: what our code is generated from, and an oracle for its codecs. */
export function loadProtos(options: { keepCase: boolean }): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(folder, target);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  root.loadSync(
    files.filter((file) => file.endsWith('.proto')),
    options,
  );
  root.resolveAll();
  return root;
}

/** All things of one kind below a namespace. */
export function collect<T extends protobuf.ReflectionObject>(
  namespace: protobuf.NamespaceBase,
  kind: new (...args: never[]) => T,
): T[] {
  return namespace.nestedArray.flatMap((object) => [
    ...(object instanceof kind ? [object] : []),
    ...(object instanceof protobuf.Namespace ? collect(object, kind) : []),
  ]);
}
