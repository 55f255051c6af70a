// What the candidates need of the .proto files: protobufjs's own tree, and protoc's descriptors made of it.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';

const folder = fileURLToPath(new URL('../../packages/protocol/proto', import.meta.url));

/** The .proto files, read by protobufjs. */
export function loadRoot(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(folder, target);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  root.loadSync(
    files.filter((file) => file.endsWith('.proto')),
    { keepCase: false },
  );
  root.resolveAll();
  return root;
}

/** Files that protobufjs makes of the packages, each before those that need it. */
const ORDER = ['mvccpb.proto', 'authpb.proto', 'etcdserverpb.proto'];

/** The same as protoc would describe it: one file for each of the packages that the benchmark needs. */
export function loadDescriptors(): FileDescriptorSet {
  const root = loadRoot() as protobuf.Root & { toDescriptor(edition: string): protobuf.Message };
  const bytes = descriptor.FileDescriptorSet.encode(root.toDescriptor('proto3')).finish();
  const set = fromBinary(FileDescriptorSetSchema, bytes);
  set.file = ORDER.map((name, i) => {
    const file = set.file.find((other) => other.name === name);
    if (file === undefined) throw new Error(`no ${name} among ${set.file.map((f) => f.name)}`);
    file.dependency = i === 2 ? ORDER.slice(0, 2) : [];
    for (const message of file.messageType) qualify(root, file.package, message);
    return file;
  });
  return set;
}

/** Gives the types of fields their full names, as protoc does; protobufjs leaves them as they are written. */
function qualify(root: protobuf.Root, scope: string, message: DescriptorProto): void {
  const name = `${scope}.${message.name}`;
  for (const field of message.field) {
    if (field.typeName === '') continue;
    field.typeName = root.lookupType(name).lookup(field.typeName)?.fullName ?? field.typeName;
  }
  for (const nested of message.nestedType) qualify(root, name, nested);
}
