/**
 * JSON values out of text that comes in pieces, at a cost that grows with the text alone: whoever sends a large value
 * in a thousand pieces must not have it read a thousand times.
 */
import { JsonError, type JsonValue, readJson } from './json-value.ts';

/** As long as no more waits, every piece is tried, so that broken JSON is told at once. */
const FREE_TRIES_LENGTH = 4_096;

/** A value, and the text that it was read from, for lines and columns. */
export interface ReadValue {
  readonly value: JsonValue;
  readonly text: string;
}

/** The text that has come and not been taken yet. */
export class JsonPieces {
  #text = '';
  #end = new ValueEnd();
  #mayBeWhole = false;
  /** From this length on broken JSON is looked for again. */
  #nextTryLength = 0;

  /** What waits. */
  get text(): string {
    return this.#text;
  }

  /** More has come. */
  add(piece: string): void {
    this.#text += piece;
    if (this.#end.isBehind(piece)) this.#mayBeWhole = true;
  }

  /**
   * Takes the next value; undefined while it is not whole.
   *
   * @throws JsonError the text is no JSON. Beyond the first few thousand characters it may be told later.
   */
  next(): ReadValue | undefined {
    const text = this.#text;
    if (!this.#mayBeWhole && text.length < this.#nextTryLength) return undefined;
    const read = wholeJson(text);
    if (read === undefined) {
      this.#nextTryLength = text.length < FREE_TRIES_LENGTH ? 0 : 2 * text.length;
      return undefined;
    }
    this.#text = '';
    this.#end = new ValueEnd();
    this.#mayBeWhole = false;
    this.#nextTryLength = 0;
    this.add(text.slice(read.end));
    return { value: read.value, text };
  }
}

function wholeJson(text: string): ReturnType<typeof readJson> {
  try {
    return readJson(text);
  } catch (error) {
    if (error instanceof JsonError && error.isIncomplete) return undefined;
    throw error;
  }
}

/** Looks for the end of the first value, at each character once. It knows no more of JSON than brackets and strings. */
class ValueEnd {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  /** Whether the value may end in this piece, or has ended before. */
  isBehind(piece: string): boolean {
    for (let i = 0; i < piece.length; i++) {
      if (this.#isEndAt(piece.charCodeAt(i))) return true;
    }
    return false;
  }

  #isEndAt(character: number): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (character === BACKSLASH) this.#isEscaped = true;
      else if (character === QUOTE) this.#isInString = false;
      return !this.#isInString && this.#depth === 0;
    }
    if (character === QUOTE) this.#isInString = true;
    else if (character === BRACE || character === BRACKET) this.#depth += 1;
    else if (character === BRACE_END || character === BRACKET_END) this.#depth -= 1;
    else return this.#depth === 0 && character > SPACE;
    return !this.#isInString && this.#depth <= 0;
  }
}

const [SPACE, QUOTE, BACKSLASH] = [0x20, 0x22, 0x5c];
const [BRACE, BRACE_END, BRACKET, BRACKET_END] = [0x7b, 0x7d, 0x5b, 0x5d];
