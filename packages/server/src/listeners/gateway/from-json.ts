/**
 * JSON into a message, by the rules of protobuf's JSON mapping as Go's protojson has them: proto and camelCase names,
 * 64-bit integers as numbers or strings, enums by name or number, base64 of either alphabet with or without padding.
 * Unknown names and unknown enum names are passed over, as etcd's gateway is told to.
 */
import type { Field, MessageCodec } from '@etcd-ts/protocol';
import { type JsonMember, type JsonValue, lineAndColumn } from './json-value.ts';

/** The JSON is not such a message; the message text is protojson's. */
export class JsonMappingError extends Error {
  override readonly name = 'JsonMappingError';
}

/** A field's problem before it has a line and column. */
interface Problem {
  readonly at: number;
  readonly text: string;
  readonly isSyntax?: boolean;
}

type Result<T> = { readonly value: T } | { readonly problem: Problem };

const INTEGERS = {
  int32: [-(1n << 31n), (1n << 31n) - 1n],
  uint32: [0n, 0xffff_ffffn],
  int64: [-(1n << 63n), (1n << 63n) - 1n],
  uint64: [0n, (1n << 64n) - 1n],
  enum: [-(1n << 31n), (1n << 31n) - 1n],
} as const;

const NUMBER_PARTS = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** Powers of ten beyond this are no 64-bit integer; keeps `1e999999999` from being written out. */
const MAX_EXPONENT = 40;

/** Digits beyond this are no 64-bit integer; turning millions of them into a number would hold up everybody. */
const MAX_DIGITS = 100;

/**
 * Reads a message.
 *
 * @param text The text that the value was read from, for lines and columns.
 * @throws JsonMappingError
 */
export function messageFromJson<Message>(
  codec: MessageCodec<Message>,
  value: JsonValue,
  text: string,
): Message {
  const result = readMessage(codec as MessageCodec<unknown>, value);
  if ('problem' in result) throw new JsonMappingError(describe(result.problem, text));
  return result.value as Message;
}

function describe({ at, text: what, isSyntax }: Problem, text: string): string {
  return `proto: ${isSyntax === true ? 'syntax error ' : ''}${lineAndColumn(text, at)}: ${what}`;
}

function readMessage(codec: MessageCodec<unknown>, value: JsonValue): Result<unknown> {
  if (value.kind !== 'object') return unexpectedToken(value);
  const properties: Record<string, unknown> = {};
  const seen = new Set<number>();
  for (const member of value.members) {
    const field = codec.fields.find(
      (each) => each.name === member.name || each.property === member.name,
    );
    if (field === undefined) continue;
    const problem = readMember(codec, field, member, { properties, seen });
    if (problem !== undefined) return { problem };
  }
  return { value: codec.fromPartial(properties as never) };
}

function readMember(
  codec: MessageCodec<unknown>,
  field: Field,
  member: JsonMember,
  into: { readonly properties: Record<string, unknown>; readonly seen: Set<number> },
): Problem | undefined {
  const { properties, seen } = into;
  const quoted = JSON.stringify(member.name);
  if (seen.has(field.number)) return { at: member.at, text: `duplicate field ${quoted}` };
  seen.add(field.number);
  if (member.value.kind === 'literal' && member.value.raw === 'null') return undefined;
  if (field.oneof !== undefined && properties[field.oneof] !== undefined) {
    const oneof = `${codec.typeName}.${snakeCase(field.oneof)}`;
    return { at: member.at, text: `error parsing ${quoted}, oneof ${oneof} is already set` };
  }
  const result = readField(field, member.value);
  if ('problem' in result) return result.problem;
  if (result.value === undefined) return undefined;
  if (field.oneof === undefined) properties[field.property] = result.value;
  else properties[field.oneof] = { $case: field.property, value: result.value };
  return undefined;
}

function readField(field: Field, value: JsonValue): Result<unknown> {
  if (field.shape === 'one') return readOne(field, value);
  if (field.shape === 'map') return readMap(field, value);
  if (value.kind !== 'array') return unexpectedToken(value);
  const items: unknown[] = [];
  for (const item of value.items) {
    const result = readOne(field, item);
    if ('problem' in result) return result;
    if (result.value !== undefined) items.push(result.value);
  }
  return { value: items };
}

function readMap(field: Field, value: JsonValue): Result<unknown> {
  if (value.kind !== 'object') return unexpectedToken(value);
  const map = new Map<string, unknown>();
  for (const member of value.members) {
    const result = readOne(field, member.value);
    if ('problem' in result) return result;
    map.set(member.name, result.value);
  }
  return { value: map };
}

function readOne(field: Field, value: JsonValue): Result<unknown> {
  switch (field.kind) {
    case 'message':
      return readMessage(field.message as MessageCodec<unknown>, value);
    case 'bool':
      if (value.kind !== 'literal' || value.raw === 'null') return invalid(field, value);
      return { value: value.raw === 'true' };
    case 'string':
      return value.kind === 'string' ? { value: value.text } : invalid(field, value);
    case 'bytes': {
      const bytes = value.kind === 'string' ? fromBase64(value.text) : undefined;
      return bytes === undefined ? invalid(field, value) : { value: bytes };
    }
    case 'enum':
      if (value.kind === 'string') return { value: numberOfName(field, value.text) };
      return readInteger(field, value, INTEGERS.enum);
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64':
      return readInteger(field, value, INTEGERS[field.kind]);
  }
}

/** The number of an enum's name; undefined for a name that it does not have, be it one that every object has. */
function numberOfName({ enum: names = {} }: Field, name: string): number | undefined {
  return Object.hasOwn(names, name) ? names[name] : undefined;
}

function readInteger(
  field: Field,
  value: JsonValue,
  [least, greatest]: readonly [bigint, bigint],
): Result<unknown> {
  const digits = value.kind === 'number' ? value.raw : value.kind === 'string' ? value.text : '';
  const integer = exactInteger(digits);
  if (integer === undefined || integer < least || integer > greatest) return invalid(field, value);
  return { value: field.isId ? integer : Number(integer) };
}

/** The integer that a JSON number is, however it is written (`1e2`, `1.0`); undefined when it is none. */
function exactInteger(text: string): bigint | undefined {
  const parts = NUMBER_PARTS.exec(text);
  if (parts === null) return undefined;
  const [, sign, whole = '', decimals = '', power = '0'] = parts;
  const fraction = withoutZerosBehind(decimals);
  if (whole === '0' && fraction === '') return 0n;
  if (Math.abs(Number(power)) > MAX_EXPONENT) return undefined;
  if (whole.length + fraction.length > MAX_DIGITS) return undefined;
  const scale = Number(power) - fraction.length;
  let digits = BigInt(`${whole}${fraction}`);
  if (scale >= 0) digits *= 10n ** BigInt(scale);
  else if (digits % 10n ** BigInt(-scale) === 0n) digits /= 10n ** BigInt(-scale);
  else return undefined;
  return sign === '-' ? -digits : digits;
}

function withoutZerosBehind(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === '0') end -= 1;
  return digits.slice(0, end);
}

function fromBase64(text: string): Uint8Array | undefined {
  const standard = text
    .replaceAll(/[\r\n]/g, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/');
  if (/[-_]/.test(text) && /[+/]/.test(text)) return undefined;
  const sound =
    standard.length % 4 === 0
      ? /^[A-Za-z0-9+/]*={0,2}$/.test(standard)
      : /^[A-Za-z0-9+/]*$/.test(standard) && standard.length % 4 !== 1;
  if (!sound) return undefined;
  const bytes = Buffer.from(standard, 'base64');
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function invalid(field: Field, value: JsonValue): Result<never> {
  if (value.kind === 'object' || value.kind === 'array') return unexpectedToken(value);
  const kind = field.kind === 'enum' ? 'enum' : field.kind;
  return {
    problem: {
      at: value.at,
      text: `invalid value for ${kind} field ${field.property}: ${value.raw}`,
    },
  };
}

function unexpectedToken(value: JsonValue): Result<never> {
  const token = value.kind === 'object' ? '{' : value.kind === 'array' ? '[' : value.raw;
  return { problem: { at: value.at, text: `unexpected token ${token}`, isSyntax: true } };
}

function snakeCase(property: string): string {
  return property.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
