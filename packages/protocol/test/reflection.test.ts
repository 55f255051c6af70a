import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import { describe, expect, test } from 'vitest';
import { FILE_DESCRIPTORS, RPCS } from '../src/index.ts';
import { collect, loadProtos } from './proto-root.ts';

const written = loadProtos({ keepCase: true });

/** The message that describes a file; the library's types do not know it. */
const { FileDescriptorProto: FILE } = descriptor as unknown as Record<string, protobuf.Type> & {
  readonly FileDescriptorProto: protobuf.Type;
};

/** The files as a client of server reflection puts them together. */
const told = protobuf.Root.fromDescriptor({
  file: FILE_DESCRIPTORS.map(({ base64 }) => FILE.decode(Buffer.from(base64, 'base64'))),
} as never);
told.resolveAll();

/** protobufjs gives fields of descriptors their JSON names. */
function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function fieldsOf(root: protobuf.Root): string[] {
  return collect(root, protobuf.Type)
    .filter((type) => type.getOption('map_entry') !== true && !type.name.endsWith('Entry'))
    .flatMap((type) => [
      type.fullName,
      ...type.fieldsArray.map((field) =>
        [
          type.fullName,
          camelCase(field.name),
          field.id,
          field instanceof protobuf.MapField || field.resolvedType?.name.endsWith('Entry') === true
            ? 'map'
            : (field.resolvedType?.fullName ?? field.type),
          camelCase(field.partOf?.name ?? ''),
        ].join(' '),
      ),
    ])
    .sort((a, b) => (a < b ? -1 : 1));
}

function servicesOf(root: protobuf.Root): string[] {
  return collect(root, protobuf.Service)
    .flatMap((service) =>
      service.methodsArray.map((method) =>
        [
          service.fullName,
          method.name,
          method.resolvedRequestType?.fullName,
          method.resolvedResponseType?.fullName,
          method.requestStream === true,
          method.responseStream === true,
        ].join(' '),
      ),
    )
    .sort((a, b) => (a < b ? -1 : 1));
}

describe('what server reflection tells', () => {
  test('is what the .proto files say: messages, fields, types, oneofs', () => {
    expect(fieldsOf(told)).toEqual(fieldsOf(written));
  });

  test('is what the .proto files say: enums and their values', () => {
    const enums = (root: protobuf.Root): unknown[] =>
      collect(root, protobuf.Enum)
        .map(({ fullName, values }) => JSON.stringify([fullName, values]))
        .sort((a, b) => (a < b ? -1 : 1));
    expect(enums(told)).toEqual(enums(written));
  });

  test('is what the .proto files say: services, methods, streams', () => {
    expect(servicesOf(told)).toEqual(servicesOf(written));
  });

  test('names every imported file, and every service and method as a symbol', () => {
    const names = new Set(FILE_DESCRIPTORS.map(({ name }) => name));
    const symbols = new Set(FILE_DESCRIPTORS.flatMap((file) => file.symbols));
    for (const { imports } of FILE_DESCRIPTORS) {
      for (const each of imports) expect(names.has(each)).toBe(true);
    }
    for (const { service, method } of RPCS) {
      expect(symbols.has(service)).toBe(true);
      expect(symbols.has(`${service}.${method}`)).toBe(true);
    }
  });
});
