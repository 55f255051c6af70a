import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { collect, loadProtos } from './proto-root.ts';
import { facts } from './wire-facts.ts';

const root = loadProtos({ keepCase: true });

/** A field's type as the table of facts names it: short inside its own package or message. */
function typeName(field: protobuf.Field): string {
  const { resolvedType } = field;
  if (resolvedType === null) return field.type;
  const full = resolvedType.fullName.slice(1);
  if (field instanceof protobuf.MapField) return `map<${field.keyType},${resolvedType.name}>`;
  return full;
}

/** The full name of a type that a fact gives, perhaps in short form. */
function fullTypeName(fact: Readonly<Record<string, string>>): string {
  const { package: pkg = '', message = '', type = '' } = fact;
  const known = new Set(
    [...collect(root, protobuf.Type), ...collect(root, protobuf.Enum)].map((o) =>
      o.fullName.slice(1),
    ),
  );
  const candidates = [`${pkg}.${message}.${type}`, `${pkg}.${type}`, type];
  return candidates.find((name) => known.has(name)) ?? type;
}

/** Server reflection is gRPC's and not in the tables of etcd's facts; reflection.test.ts is about it. */
function etcdsOwn<T extends protobuf.ReflectionObject>(objects: readonly T[]): T[] {
  return objects.filter(({ fullName }) => !fullName.startsWith('.grpc.reflection.'));
}

function label(field: protobuf.Field): string {
  if (field instanceof protobuf.MapField) return 'map';
  return field.repeated ? 'repeated' : 'singular';
}

describe('the .proto files', () => {
  test('have every field of etcd, with its number, type, label and oneof, and no other', () => {
    const expected = facts('messages').map((fact) =>
      fact['number'] === '0'
        ? `${fact['package']}.${fact['message']}`
        : [
            `${fact['package']}.${fact['message']}.${fact['field']}`,
            fact['number'],
            fullTypeName(fact),
            fact['label'],
            fact['oneof'],
          ].join(' '),
    );
    const actual = etcdsOwn(collect(root, protobuf.Type)).flatMap((type) =>
      type.fieldsArray.length === 0
        ? [type.fullName.slice(1)]
        : type.fieldsArray.map((field) =>
            [
              `${type.fullName.slice(1)}.${field.name}`,
              field.id,
              typeName(field),
              label(field),
              field.partOf?.name ?? '',
            ].join(' '),
          ),
    );
    expect(actual.sort()).toEqual(expected.sort());
  });

  test('have every value of every enum of etcd, and no other', () => {
    const expected = facts('enums').map(
      (fact) => `${fact['package']}.${fact['enum']}.${fact['name']} ${fact['number']}`,
    );
    const actual = collect(root, protobuf.Enum).flatMap((object) =>
      Object.entries(object.values).map(([name, n]) => `${object.fullName.slice(1)}.${name} ${n}`),
    );
    expect(actual.sort()).toEqual(expected.sort());
  });

  test('have every method of etcd, with its messages and streams, and no other', () => {
    const expected = facts('rpcs').map(
      (fact) =>
        `${fact['service']}/${fact['method']} ${fact['request']} ${fact['response']} ${fact['kind']}`,
    );
    const actual = etcdsOwn(collect(root, protobuf.Service)).flatMap((service) =>
      service.methodsArray.map((method) => {
        const kind =
          method.requestStream === true
            ? 'bidi-stream'
            : method.responseStream === true
              ? 'server-stream'
              : 'unary';
        const request = method.resolvedRequestType?.fullName.slice(1);
        const response = method.resolvedResponseType?.fullName.slice(1);
        return `${service.fullName.slice(1)}/${method.name} ${request} ${response} ${kind}`;
      }),
    );
    expect(actual.sort()).toEqual(expected.sort());
  });
});
