// The .proto files as google.protobuf.FileDescriptorProto, which server reflection hands out.
import { join } from 'node:path';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';

/** Numbers of FieldDescriptorProto.Type. */
const TYPES = { int64: 3, uint64: 4, int32: 5, bool: 8, string: 9, bytes: 12, uint32: 13 };
const TYPE_MESSAGE = 11;
const TYPE_ENUM = 14;
/** Numbers of FieldDescriptorProto.Label. */
const LABEL_OPTIONAL = 1;
const LABEL_REPEATED = 3;

/** A module with every file's name, imports, symbols and bytes. */
export function descriptorsCode(root, protoFolder, files) {
  const rows = files.map((file) => {
    const { proto, symbols } = fileDescriptor(root, protoFolder, file);
    const bytes = descriptor.FileDescriptorProto.encode(proto).finish();
    return {
      name: file,
      imports: proto.dependency,
      symbols,
      base64: Buffer.from(bytes).toString('base64'),
    };
  });
  return `// Generated from proto/: change that, then run \`npm run generate\`.

/** A .proto file as server reflection tells it. */
export interface FileDescriptor {
  readonly name: string;
  /** Names of the files that it imports. */
  readonly imports: readonly string[];
  /** Full names of all that it declares. */
  readonly symbols: readonly string[];
  /** A google.protobuf.FileDescriptorProto. */
  readonly base64: string;
}

/** All .proto files. */
export const FILE_DESCRIPTORS: readonly FileDescriptor[] = ${JSON.stringify(rows, undefined, 2)};
`;
}

function fileDescriptor(root, protoFolder, file) {
  const path = join(protoFolder, file);
  const context = { path, protoFolder, imports: new Set(), symbols: [] };
  const own = objectsOf(root, path);
  const [first] = own;
  const proto = descriptor.FileDescriptorProto.create({
    name: file,
    package: first.parent.fullName.slice(1),
    messageType: own.filter(isType).map((type) => messageOf(type, context)),
    enumType: own.filter(isEnum).map((object) => enumOf(object, context)),
    service: own.filter(isService).map((service) => serviceOf(service, context)),
    syntax: 'proto3',
  });
  proto.dependency = [...context.imports].sort((a, b) => (a < b ? -1 : 1));
  return { proto, symbols: context.symbols };
}

/** What a file declares at its top. */
function objectsOf(namespace, path) {
  return namespace.nestedArray.flatMap((object) => {
    if (isType(object) || isEnum(object) || isService(object)) {
      return object.filename === path ? [object] : [];
    }
    return object instanceof protobuf.Namespace ? objectsOf(object, path) : [];
  });
}

const isType = (object) => object instanceof protobuf.Type;
const isEnum = (object) => object instanceof protobuf.Enum;
const isService = (object) => object instanceof protobuf.Service;

function messageOf(type, context) {
  context.symbols.push(type.fullName.slice(1));
  const maps = type.fieldsArray.filter((field) => field.map === true);
  return {
    name: type.name,
    field: type.fieldsArray.map((field) => fieldOf(field, type, context)),
    nestedType: [
      ...type.nestedArray.filter(isType).map((nested) => messageOf(nested, context)),
      ...maps.map((field) => mapEntryOf(field, context)),
    ],
    enumType: type.nestedArray.filter(isEnum).map((nested) => enumOf(nested, context)),
    oneofDecl: type.oneofsArray.map(({ name }) => ({ name })),
  };
}

function fieldOf(field, type, context) {
  context.symbols.push(`${type.fullName.slice(1)}.${field.name}`);
  const isMap = field.map === true;
  return {
    name: field.name,
    number: field.id,
    label: isMap || field.repeated ? LABEL_REPEATED : LABEL_OPTIONAL,
    ...(isMap
      ? { type: TYPE_MESSAGE, typeName: `${type.fullName}.${entryName(field)}` }
      : typeOf(field, context)),
    ...(field.partOf ? { oneofIndex: type.oneofsArray.indexOf(field.partOf) } : {}),
    jsonName: camelCase(field.name),
  };
}

function typeOf(field, context) {
  const { resolvedType } = field;
  if (resolvedType === null) {
    if (TYPES[field.type] === undefined) throw new Error(`no descriptor of type ${field.type}`);
    return { type: TYPES[field.type] };
  }
  if (resolvedType.filename !== context.path) context.imports.add(importOf(resolvedType, context));
  return {
    type: isEnum(resolvedType) ? TYPE_ENUM : TYPE_MESSAGE,
    typeName: resolvedType.fullName,
  };
}

function importOf({ filename }, { protoFolder }) {
  return filename.slice(protoFolder.length + 1);
}

/** What protoc makes of a map: a message of a key and a value. */
function mapEntryOf(field, context) {
  return {
    name: entryName(field),
    field: [
      {
        name: 'key',
        number: 1,
        label: LABEL_OPTIONAL,
        type: TYPES[field.keyType],
        jsonName: 'key',
      },
      {
        name: 'value',
        number: 2,
        label: LABEL_OPTIONAL,
        ...typeOf(field, context),
        jsonName: 'value',
      },
    ],
    options: { mapEntry: true },
  };
}

function entryName({ name }) {
  const camel = camelCase(name);
  return `${camel.charAt(0).toUpperCase()}${camel.slice(1)}Entry`;
}

function enumOf(object, context) {
  context.symbols.push(object.fullName.slice(1));
  return {
    name: object.name,
    value: Object.entries(object.values).map(([name, number]) => ({ name, number })),
  };
}

function serviceOf(service, context) {
  context.symbols.push(service.fullName.slice(1));
  return {
    name: service.name,
    method: service.methodsArray.map((method) => {
      context.symbols.push(`${service.fullName.slice(1)}.${method.name}`);
      for (const type of [method.resolvedRequestType, method.resolvedResponseType]) {
        if (type.filename !== context.path) context.imports.add(importOf(type, context));
      }
      return {
        name: method.name,
        inputType: method.resolvedRequestType.fullName,
        outputType: method.resolvedResponseType.fullName,
        ...(method.requestStream ? { clientStreaming: true } : {}),
        ...(method.responseStream ? { serverStreaming: true } : {}),
      };
    }),
  };
}

function camelCase(name) {
  return name.replace(/_([a-z0-9])/gi, (_match, letter) => letter.toUpperCase());
}
