/**
 * A message as JSON, by protobuf's JSON mapping: names of the .proto file, 64-bit integers as strings, bytes as
 * base64, enums by name, and whatever holds its default left out. A set oneof is written even when its value is zero.
 */
import type { Field, MessageCodec } from '@etcd-ts/protocol';

/** The message as JSON text without white space. */
export function messageToJson<Message>(codec: MessageCodec<Message>, message: Message): string {
  return objectText(codec as MessageCodec<unknown>, message as Record<string, unknown>);
}

function objectText(codec: MessageCodec<unknown>, message: Record<string, unknown>): string {
  let text = '';
  for (const field of codec.fields) {
    const value = fieldText(field, message);
    if (value === undefined) continue;
    text += `${text === '' ? '' : ','}"${field.name}":${value}`;
  }
  return `{${text}}`;
}

function fieldText(field: Field, message: Record<string, unknown>): string | undefined {
  if (field.oneof !== undefined) {
    const chosen = message[field.oneof] as { $case: string; value: unknown } | undefined;
    return chosen?.$case === field.property ? valueText(field, chosen.value) : undefined;
  }
  const value = message[field.property];
  if (field.shape === 'list') {
    const items = value as readonly unknown[];
    return items.length === 0
      ? undefined
      : `[${items.map((item) => valueText(field, item)).join(',')}]`;
  }
  if (field.shape === 'map') {
    const map = value as ReadonlyMap<string, unknown>;
    const members = [...map].map(
      ([name, item]) => `${JSON.stringify(name)}:${valueText(field, item)}`,
    );
    return members.length === 0 ? undefined : `{${members.join(',')}}`;
  }
  return isDefault(field, value) ? undefined : valueText(field, value);
}

function isDefault(field: Field, value: unknown): boolean {
  switch (field.kind) {
    case 'message':
      return value === undefined;
    case 'bytes':
      return (value as Uint8Array).length === 0;
    case 'string':
      return value === '';
    case 'bool':
      return value === false;
    case 'enum':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64':
      return value === 0 || value === 0n;
  }
}

function valueText(field: Field, value: unknown): string {
  switch (field.kind) {
    case 'message':
      return objectText(field.message as MessageCodec<unknown>, value as Record<string, unknown>);
    case 'bytes': {
      const { buffer, byteOffset, length } = value as Uint8Array;
      return `"${Buffer.from(buffer, byteOffset, length).toString('base64')}"`;
    }
    case 'string':
      return JSON.stringify(value);
    case 'enum': {
      const name = Object.entries(field.enum ?? {}).find(([, number]) => number === value)?.[0];
      return name === undefined ? String(value as number) : `"${name}"`;
    }
    case 'bool':
    case 'int32':
    case 'uint32':
      return String(value as boolean | number);
    case 'int64':
      return `"${field.isId ? BigInt.asIntN(64, value as bigint) : (value as number)}"`;
    case 'uint64':
      return `"${field.isId ? BigInt.asUintN(64, value as bigint) : (value as number)}"`;
  }
}
