/**
 * JSON as the gateway needs it: positions for error messages, numbers as their digits (64 bits do not fit a number),
 * duplicate names kept, and more than one value in one text. JSON.parse keeps none of that.
 *
 * Messages are those of Go's encoding/json, which reads the values in etcd.
 */
import { must } from '@etcd-ts/base';

/** A value with where it stands, as an offset in the text. */
export type JsonValue =
  | { readonly kind: 'object'; readonly at: number; readonly members: readonly JsonMember[] }
  | { readonly kind: 'array'; readonly at: number; readonly items: readonly JsonValue[] }
  | { readonly kind: 'string'; readonly at: number; readonly raw: string; readonly text: string }
  | { readonly kind: 'number'; readonly at: number; readonly raw: string }
  | { readonly kind: 'literal'; readonly at: number; readonly raw: 'true' | 'false' | 'null' };

/** A name and its value in an object. */
export interface JsonMember {
  readonly name: string;
  readonly at: number;
  readonly value: JsonValue;
}

/** The text is no JSON, or, when `isIncomplete`, only the beginning of it. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
  readonly isIncomplete: boolean;

  constructor(message: string, isIncomplete = false) {
    super(message);
    this.isIncomplete = isIncomplete;
  }
}

/** Arrays and objects inside one another; one more is refused (hostile nesting must not reach the call stack). */
export const MAX_JSON_DEPTH = 1_000;

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// Two patterns in turn, not one with a choice in it: that one would keep a way back for every character, and a long
// string would break the stack of the engine.
// oxlint-disable-next-line no-control-regex -- JSON strings may hold every character but these
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y;
const ESCAPES = /(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})){0,1000}/y;
/** The escapes of a string, one after the other: the second half of `\\\\` begins none. */
const ESCAPE = /\\(?:u[0-9a-f]{4}|.)/gi;
const FIRST_HALF = /^\\ud[89ab]/i;
const SECOND_HALF = /^\\ud[c-f]/i;
/** Characters of an escape like `\\ud800`. */
const ESCAPE_LENGTH = 6;
const LITERALS = ['true', 'false', 'null'] as const;

/**
 * Reads the first value of the text from an offset on.
 *
 * @returns The value and the offset behind it; undefined when there is nothing but white space.
 * @throws JsonError
 */
export function readJson(
  text: string,
  from = 0,
): { readonly value: JsonValue; readonly end: number } | undefined {
  const scanner = new Scanner(text, from);
  scanner.space();
  if (scanner.isAtEnd) return undefined;
  const value = scanner.value(0);
  return { value, end: scanner.at };
}

/** Where an offset is, for messages: `(line 1:7)`, both from 1 on. */
export function lineAndColumn(text: string, at: number): string {
  const before = text.slice(0, at).split('\n');
  return `(line ${before.length}:${Array.from(before.at(-1) as string).length + 1})`;
}

class Scanner {
  readonly #text: string;
  at: number;

  constructor(text: string, at: number) {
    this.#text = text;
    this.at = at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#text.length;
  }

  space(): void {
    this.#match(SPACE);
  }

  value(depth: number): JsonValue {
    if (depth > MAX_JSON_DEPTH) throw new JsonError('exceeded max depth');
    const at = this.at;
    const first = this.#peek();
    if (first === '{') return { kind: 'object', at, members: this.#members(depth) };
    if (first === '[') return { kind: 'array', at, items: this.#items(depth) };
    if (first === '"') return this.#string();
    const literal = LITERALS.find((each) => each.startsWith(first));
    if (literal !== undefined) return this.#literal(literal);
    if (first === '-' || (first >= '0' && first <= '9')) {
      return { kind: 'number', at, raw: this.#number() };
    }
    throw this.#unexpected('looking for beginning of value');
  }

  #number(): string {
    const raw = this.#match(NUMBER);
    if (raw === undefined) {
      this.at += 1;
      throw this.#unexpected('in numeric literal');
    }
    const next = this.#text[this.at];
    if (next === '.' && !/[.eE]/.test(raw)) {
      this.at += 1;
      throw this.#unexpected('after decimal point in numeric literal');
    }
    if ((next === 'e' || next === 'E') && !/[eE]/.test(raw)) {
      this.at += /[+-]/.test(this.#text[this.at + 1] ?? '') ? 2 : 1;
      throw this.#unexpected('in exponent of numeric literal');
    }
    return raw;
  }

  #members(depth: number): JsonMember[] {
    const members: JsonMember[] = [];
    this.at += 1;
    this.space();
    if (this.#take('}')) return members;
    for (;;) {
      const at = this.at;
      if (this.#peek() !== '"')
        throw this.#unexpected('looking for beginning of object key string');
      const { text: name } = this.#string();
      this.space();
      if (!this.#take(':')) throw this.#unexpected('after object key');
      this.space();
      members.push({ name, at, value: this.value(depth + 1) });
      this.space();
      if (this.#take('}')) return members;
      if (!this.#take(',')) throw this.#unexpected('after object key:value pair');
      this.space();
    }
  }

  #items(depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    this.at += 1;
    this.space();
    if (this.#take(']')) return items;
    for (;;) {
      items.push(this.value(depth + 1));
      this.space();
      if (this.#take(']')) return items;
      if (!this.#take(',')) throw this.#unexpected('after array element');
      this.space();
    }
  }

  #string(): Extract<JsonValue, { kind: 'string' }> {
    const at = this.at;
    this.at += 1;
    do this.#match(PLAIN_CHARACTERS);
    while (this.#match(ESCAPES) !== '');
    if (this.#text[this.at] !== '"') throw this.#brokenString();
    this.at += 1;
    const raw = this.#text.slice(at, this.at);
    const text = JSON.parse(raw) as string;
    if (/\p{Surrogate}/u.test(text)) throw this.#halfCharacter(raw, at);
    return { kind: 'string', at, raw, text };
  }

  /** The error of a string with half a surrogate pair: protojson takes what follows for the other half, and it is not. */
  #halfCharacter(raw: string, at: number): JsonError {
    const from = at + must(halfCharacterIn(raw), 'half a character') + ESCAPE_LENGTH;
    const other = this.#text.slice(from, from + ESCAPE_LENGTH);
    if (other.length < ESCAPE_LENGTH) return new JsonError('proto: unexpected EOF');
    const what = `syntax error ${lineAndColumn(this.#text, at)}: invalid escape code`;
    return new JsonError(`proto: ${what} ${JSON.stringify(other)} in string`);
  }

  /** The error of a string that breaks here, at an escape or at a character that it may not hold. */
  #brokenString(): JsonError {
    if (this.#text[this.at] !== '\\') return this.#unexpected('in string literal');
    this.at += 1;
    if (this.#text[this.at] === 'u') {
      do this.at += 1;
      while (/^[0-9a-fA-F]$/.test(this.#text[this.at] ?? ''));
      return this.#unexpected('in \\u hexadecimal character escape');
    }
    return this.#unexpected('in string escape code');
  }

  #literal(raw: (typeof LITERALS)[number]): JsonValue {
    const at = this.at;
    for (const expected of raw) {
      if (!this.#take(expected))
        throw this.#unexpected(`in literal ${raw} (expecting '${expected}')`);
    }
    return { kind: 'literal', at, raw };
  }

  #peek(): string {
    if (this.isAtEnd) throw new JsonError('unexpected EOF', true);
    return this.#text[this.at] as string;
  }

  #take(expected: string): boolean {
    if (this.#peek() !== expected) return false;
    this.at += 1;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const matched = pattern.exec(this.#text)?.[0];
    if (matched !== undefined) this.at += matched.length;
    return matched;
  }

  #unexpected(context: string): JsonError {
    const character = this.#peek();
    const shown =
      character === "'" ? "'\\''" : character === '"' ? `'"'` : `'${escaped(character)}'`;
    return new JsonError(`invalid character ${shown} ${context}`);
  }
}

/**
 * Where an escape for the first half of a surrogate pair stands without its second, or the second without its first;
 * undefined where there is none.
 */
function halfCharacterIn(raw: string): number | undefined {
  let firstAt: number | undefined;
  for (const { 0: escape, index } of raw.matchAll(ESCAPE)) {
    const isSecond = SECOND_HALF.test(escape);
    if (firstAt !== undefined) {
      if (!isSecond || index !== firstAt + ESCAPE_LENGTH) return firstAt;
      firstAt = undefined;
    } else if (isSecond) return index;
    else if (FIRST_HALF.test(escape)) firstAt = index;
  }
  return firstAt;
}

/** As Go quotes a byte: it reads JSON byte by byte, and takes the first one of a longer character for a character. */
function escaped(character: string): string {
  const [byte = 0] = new TextEncoder().encode(character);
  const isShown = (byte >= 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  if (isShown) return byte === 0x5c ? '\\\\' : String.fromCharCode(byte);
  const short = GO_ESCAPES[byte];
  if (short !== undefined) return short;
  const hex = byte.toString(16).padStart(2, '0');
  return byte < 0x80 ? `\\x${hex}` : `\\u00${hex}`;
}

/** Control characters that Go has a letter for. */
const GO_ESCAPES: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
};
