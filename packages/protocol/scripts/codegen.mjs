// Turns .proto files into TypeScript: for each file one module with its enums, interfaces and codecs.
//
// Own code in place of a protobuf runtime: bench/codecs.ts shows why. What is generated is straight-line code over
// src/wire/, in the shapes that the whole project uses:
// - plain interfaces with camelCase properties, every field present, messages and oneofs `X | undefined`;
// - enums as numbers, with a const object of their names;
// - a oneof as `{ $case: 'property', value }`;
// - 64-bit ids as bigint, all other numbers as number.
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { codecCode } from './codegen-codec.mjs';
import { descriptorsCode } from './codegen-descriptors.mjs';

/** Fields of 64 bits that are ids, and so bigints; every other 64-bit field is a number. */
const ID_FIELDS = new Set([
  'cluster_id',
  'member_id',
  'memberID',
  'ID',
  'lease',
  'leader',
  'targetID',
  'watch_id',
]);

/** The scalar types of etcd's messages. A type that is not here has no code, and so is refused. */
const SCALARS = {
  bool: { ts: 'boolean', zero: 'false' },
  bytes: { ts: 'Uint8Array', zero: 'EMPTY_BYTES' },
  string: { ts: 'string', zero: "''" },
  int32: { ts: 'number', zero: '0' },
  uint32: { ts: 'number', zero: '0' },
  int64: { ts: 'number', zero: '0' },
  uint64: { ts: 'number', zero: '0' },
};

/** Generates all files; gives [path below src/gen, text] pairs. */
export function generate(protoFolder, files) {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(protoFolder, target);
  root.loadSync(files, { keepCase: true, alternateCommentMode: true });
  root.resolveAll();
  const byFile = new Map(files.map((file) => [join(protoFolder, file), []]));
  collect(root, byFile);
  const modules = files.map((file) => {
    const path = join(protoFolder, file);
    return [file.replace(/\.proto$/, '.ts'), moduleCode(file, protoFolder, byFile.get(path))];
  });
  return [...modules, ['file-descriptors.ts', descriptorsCode(root, protoFolder, files)]];
}

/** Puts every enum and message into the list of its file, nested ones before what holds them. */
function collect(namespace, byFile) {
  for (const object of namespace.nestedArray) {
    if (object instanceof protobuf.Namespace) collect(object, byFile);
    if (object instanceof protobuf.Type || object instanceof protobuf.Enum) {
      byFile.get(object.filename).push(object);
    }
  }
}

function moduleCode(file, protoFolder, objects) {
  const imports = new Map();
  const context = {
    /** Name of a thing of another module, remembered for the imports. */
    use(object, name) {
      if (object.filename === objects[0]?.filename) return name;
      const target = object.filename.slice(protoFolder.length + 1).replace(/\.proto$/, '.ts');
      const depth = file.split('/').length - 1;
      const from = `${depth === 0 ? './' : '../'.repeat(depth)}${target}`;
      if (!imports.has(from)) imports.set(from, new Set());
      imports.get(from).add(name);
      return name;
    },
  };
  const bodies = objects.map((object) =>
    object instanceof protobuf.Enum ? enumCode(object) : messageCode(object, context),
  );
  const up = '../'.repeat(file.split('/').length);
  const head = [
    `// Generated from proto/${file}: change that, then run \`npm run generate\`.`,
    `import { EMPTY_BYTES } from '@etcd-ts/base';`,
    `import { copyBytes, type DeepPartial, type MessageCodec, messageCodec } from '${up}wire/codec.ts';`,
    `import type { Reader } from '${up}wire/reader.ts';`,
    `import type { Writer } from '${up}wire/writer.ts';`,
    ...[...imports].map(([from, names]) => `import { ${[...names].join(', ')} } from '${from}';`),
  ];
  const body = bodies.join('\n');
  const used = head
    .filter((line) => !line.includes('EMPTY_BYTES') || body.includes('EMPTY_BYTES'))
    .map((line) =>
      body.includes('copyBytes(') || body.includes('copyBytes)')
        ? line
        : line.replace('copyBytes, ', ''),
    );
  return `${used.join('\n')}\n\n${body}`;
}

/** Nested enums go by their own name, but for `Type`, which says nothing alone. */
function enumName(object) {
  return object.name === 'Type' ? `${object.parent.name}Type` : object.name;
}

function enumCode(object) {
  const lines = Object.entries(object.values).map(
    ([name, number]) => `${comment(object.comments[name], '  ')}  ${name}: ${number},`,
  );
  const text = object.comment ?? `Numbers of ${object.fullName.slice(1)}.`;
  return `${comment(text)}export const ${enumName(object)} = {\n${lines.join('\n')}\n} as const;\n`;
}

function messageCode(type, context) {
  const fields = type.fieldsArray
    .map((field) => fieldOf(field, context))
    .sort((a, b) => a.number - b.number);
  const oneofs = (type.oneofsArray ?? []).map((oneof) => ({
    property: camelCase(oneof.name),
    fields: fields.filter((field) => field.oneof === camelCase(oneof.name)),
  }));
  const text = type.comment ?? `Message ${type.fullName.slice(1)}.`;
  const properties = [
    ...fields.filter((field) => field.oneof === undefined).map(propertyCode),
    ...oneofs.map(oneofPropertyCode),
  ];
  return [
    `${comment(text)}export interface ${type.name} {\n${properties.join('')}}\n`,
    codecCode({ name: type.name, fullName: type.fullName.slice(1), fields, oneofs }),
  ].join('\n');
}

/** What the templates need to know of a field. */
function fieldOf(field, context) {
  const isMap = field.map === true;
  if (isMap && field.keyType !== 'string')
    throw new Error(`${field.fullName}: map without string keys`);
  const isMessage = field.resolvedType instanceof protobuf.Type;
  const isEnum = field.resolvedType instanceof protobuf.Enum;
  const kind = isMessage ? 'message' : isEnum ? 'enum' : field.type;
  if (!isMessage && !isEnum && SCALARS[kind] === undefined) {
    throw new Error(`${field.fullName}: no code for type ${field.type}`);
  }
  const isId = (kind === 'int64' || kind === 'uint64') && ID_FIELDS.has(field.name);
  const target = isMessage ? field.resolvedType.name : undefined;
  if (target !== undefined) {
    for (const name of [
      target,
      `read${target}`,
      `write${target}`,
      `make${target}`,
      `copy${target}`,
    ]) {
      context.use(field.resolvedType, name);
    }
  }
  return {
    number: field.id,
    name: field.name,
    property: camelCase(field.name),
    kind,
    isId,
    shape: isMap ? 'map' : field.repeated ? 'list' : 'one',
    oneof: field.partOf ? camelCase(field.partOf.name) : undefined,
    message: target,
    enum: isEnum ? context.use(field.resolvedType, enumName(field.resolvedType)) : undefined,
    ts: target ?? (isId ? 'bigint' : isEnum ? 'number' : SCALARS[kind].ts),
    zero: isMessage ? 'undefined' : isId ? '0n' : isEnum ? '0' : SCALARS[kind].zero,
    comment:
      field.comment ?? (isEnum ? `A number of {@link ${enumName(field.resolvedType)}}.` : null),
  };
}

function propertyCode(field) {
  const doc = comment(field.comment, '  ');
  if (field.shape === 'map') return `${doc}  ${field.property}: Map<string, ${field.ts}>;\n`;
  if (field.shape === 'list') return `${doc}  ${field.property}: ${field.ts}[];\n`;
  if (field.kind === 'message') return `${doc}  ${field.property}?: ${field.ts} | undefined;\n`;
  return `${doc}  ${field.property}: ${field.ts};\n`;
}

function oneofPropertyCode({ property, fields }) {
  const cases = fields.map((field) => `    | { $case: '${field.property}'; value: ${field.ts} }\n`);
  return `  ${property}?:\n${cases.join('')}    | undefined;\n`;
}

function comment(text, indent = '') {
  if (text === null || text === undefined) return '';
  const lines = text.trim().split('\n');
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`;
}

/** As protoc's JSON names: a letter after an underscore becomes upper case, nothing else changes. */
function camelCase(name) {
  return name.replace(/_([a-z0-9])/gi, (_match, letter) => letter.toUpperCase());
}
