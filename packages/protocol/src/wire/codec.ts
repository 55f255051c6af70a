/**
 * What a generated message offers: its codec, and its fields for whoever needs names and types at run time
 * (the JSON gateway, tests).
 */
import { EMPTY_BYTES } from '@etcd-ts/base';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** How a field is written. `int64` and `uint64` are numbers, or bigints when {@link Field.isId}. */
export type FieldKind =
  | 'bool'
  | 'bytes'
  | 'string'
  | 'enum'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'message';

/** One field of a message. */
export interface Field {
  /** Field number on the wire. */
  readonly number: number;
  /** Name in the .proto file: what the JSON gateway writes. */
  readonly name: string;
  /** Name of the property in TypeScript, and protobuf's JSON name. */
  readonly property: string;
  readonly kind: FieldKind;
  /** One value, a list, or a Map with string keys. */
  readonly shape: 'one' | 'list' | 'map';
  /** A 64-bit id: a bigint in TypeScript. */
  readonly isId: boolean;
  /** Property of the oneof that the field belongs to. */
  readonly oneof: string | undefined;
  /** The message, for kind `message`. */
  readonly message: MessageCodec<unknown> | undefined;
  /** Names and numbers, for kind `enum`. */
  readonly enum: Readonly<Record<string, number>> | undefined;
}

/** What may be left out takes its default: zero, empty, or undefined for a message. */
export type DeepPartial<T> = T extends
  | Uint8Array
  | string
  | number
  | bigint
  | boolean
  | undefined
  | ReadonlyMap<string, unknown>
  ? T
  : T extends readonly (infer Item)[]
    ? readonly DeepPartial<Item>[]
    : T extends { $case: infer Case; value: infer Value }
      ? { $case: Case; value: DeepPartial<Value> }
      : { [Property in keyof T]?: DeepPartial<T[Property]> | undefined };

/** A message's codec. */
export interface MessageCodec<Message> {
  /** Full name on the wire, such as `etcdserverpb.PutRequest`. */
  readonly typeName: string;
  /** In the order of their numbers. */
  readonly fields: readonly Field[];
  /**
   * The bytes of a message. Fields that hold their default are left out, as proto3 wants.
   *
   * The result may share its ArrayBuffer with others: it must not be transferred or written to.
   */
  encode(message: Message): Uint8Array;
  /** The message as gRPC puts it on the wire: 0 for uncompressed, its length in four bytes, then its bytes. */
  encodeFrame(message: Message): Uint8Array;
  /**
   * The message in the bytes. Its `bytes` fields are views of the input, not copies.
   *
   * Unknown fields are passed over. Of a field given twice the last wins.
   *
   * @throws DecodeError when they are not such a message.
   */
  decode(bytes: Uint8Array): Message;
  /** A whole message of some of its fields; bytes are taken over, not copied. */
  fromPartial(partial: DeepPartial<Message>): Message;
  /** A deep copy, bytes included. */
  copy(message: Message): Message;
}

/** What the generator gives for each message. */
export interface MessageParts<Message> {
  readonly typeName: string;
  /** A function, since messages refer to one another in circles. */
  readonly fields: () => readonly Field[];
  readonly write: (writer: Writer, message: Message) => void;
  readonly read: (reader: Reader) => Message;
  readonly make: (partial: DeepPartial<Message>) => Message;
  readonly copy: (message: Message) => Message;
}

const writer = new Writer();

class GeneratedCodec<Message> implements MessageCodec<Message> {
  readonly typeName: string;
  readonly #parts: MessageParts<Message>;
  #fields: readonly Field[] | undefined;

  constructor(parts: MessageParts<Message>) {
    this.typeName = parts.typeName;
    this.#parts = parts;
  }

  get fields(): readonly Field[] {
    this.#fields ??= this.#parts.fields();
    return this.#fields;
  }

  encode(message: Message): Uint8Array {
    writer.begin();
    this.#parts.write(writer, message);
    return writer.finish();
  }

  encodeFrame(message: Message): Uint8Array {
    writer.begin();
    this.#parts.write(writer, message);
    writer.frame();
    return writer.finish();
  }

  decode(bytes: Uint8Array): Message {
    return this.#parts.read(new Reader(bytes));
  }

  fromPartial(partial: DeepPartial<Message>): Message {
    return this.#parts.make(partial);
  }

  copy(message: Message): Message {
    return this.#parts.copy(message);
  }
}

/** A copy with an ArrayBuffer of its own; no bytes stay the shared empty array. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? EMPTY_BYTES : new Uint8Array(bytes);
}

/** Makes a codec of what the generator gives. */
export function messageCodec<Message>(parts: MessageParts<Message>): MessageCodec<Message> {
  return new GeneratedCodec(parts);
}
