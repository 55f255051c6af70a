/** What JSON may cost: time that grows with its length, whatever is in it and however it comes. */
import { LeaseGrantRequest, RangeRequest } from '@etcd-ts/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { messageFromJson } from '../../src/listeners/gateway/from-json.ts';
import { JsonPieces } from '../../src/listeners/gateway/json-pieces.ts';
import { JsonError, readJson } from '../../src/listeners/gateway/json-value.ts';

describe('a large value', () => {
  test('with a string beyond what the stack of a pattern would hold is read', () => {
    const text = `{"key":"${'A'.repeat(20_000_000)}"}`;
    const read = readJson(text);
    expect(read?.end).toBe(text.length);
    expect(() => readJson(text.slice(0, -2))).toThrow(new JsonError('unexpected EOF', true));
  });

  test('with a string of nothing but escapes is read', () => {
    const text = `"${String.raw`\"A`.repeat(1_000_000)}"`;
    const value = readJson(text)?.value;
    expect(value?.kind === 'string' && value.text.length).toBe(2_000_000);
  });

  test('with millions of digits is no integer, and nobody works it out', () => {
    for (const digits of ['9'.repeat(3_000_000), `1.${'3'.repeat(3_000_000)}`]) {
      const text = `{"TTL":${digits}}`;
      const beganMs = performance.now();
      expect(() => messageFromJson(LeaseGrantRequest, readJson(text)!.value, text)).toThrow(
        'invalid value for int64 field TTL',
      );
      // Over a second when the digits are made into a number first; milliseconds otherwise.
      expect(performance.now() - beganMs).toBeLessThan(700);
    }
  });
});

test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
  'an enum has no name %s',
  (name) => {
    const text = JSON.stringify({ sort_order: name });
    expect(messageFromJson(RangeRequest, readJson(text)!.value, text).sortOrder).toBe(0);
  },
);

test.each([
  [String.raw`"\\ud83d\ude00 or more"`, ' or mo'],
  [String.raw`"\ud83d\\\ude00 or more"`, String.raw`\\\ude`],
  [String.raw`"\ud83d\ude00\ud83dabcdefgh"`, 'abcdef'],
])('half a character in %s is told by what follows it', (text, other) => {
  expect(() => readJson(text)).toThrow(
    `proto: syntax error (line 1:1): invalid escape code ${JSON.stringify(other)} in string`,
  );
});

describe('JSON in pieces', () => {
  /** Reads all values of a text that comes in pieces. */
  function read(pieces: readonly string[]): { values: string[]; rest: string } {
    const json = new JsonPieces();
    const values: string[] = [];
    for (const piece of pieces) {
      json.add(piece);
      for (let one = json.next(); one !== undefined; one = json.next()) {
        values.push(JSON.stringify(one.value, (name, value) => (name === 'at' ? 0 : value)));
      }
    }
    return { values, rest: json.text.trim() };
  }

  test('is the same values as in one piece, at every cut', () => {
    const one = fc.oneof(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), fc.string());
    fc.assert(
      fc.property(
        fc.array(one, { maxLength: 4 }),
        fc.infiniteStream(fc.nat(12)),
        (values, cuts) => {
          const text = values.map((value) => JSON.stringify(value)).join(' \n');
          const pieces: string[] = [];
          for (let at = 0; at < text.length;) {
            const length = 1 + (cuts.next().value as number);
            pieces.push(text.slice(at, (at += length)));
          }
          expect(read(pieces)).toEqual(read([text]));
          expect(read(pieces)).toMatchObject({ rest: '' });
          expect(read(pieces).values).toHaveLength(values.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('is read once, not once for every piece', () => {
    const json = new JsonPieces();
    const piece = 'A'.repeat(100);
    json.add('{"key":"');
    const beganMs = performance.now();
    for (let i = 0; i < 30_000; i++) {
      json.add(piece);
      expect(json.next()).toBeUndefined();
    }
    json.add('"}');
    expect(json.next()?.text.length).toBe(3_000_010);
    // Half a minute when every piece is read together with all before it.
    expect(performance.now() - beganMs).toBeLessThan(5_000);
  });

  test('that is broken is told when it comes, in a small value, and by its end in a large one', () => {
    const json = new JsonPieces();
    json.add('{"key":');
    expect(json.next()).toBeUndefined();
    json.add('x');
    expect(() => json.next()).toThrow("invalid character 'x' looking for beginning of value");
    const large = new JsonPieces();
    large.add(`{"key":"${'A'.repeat(100_000)}"`);
    expect(large.next()).toBeUndefined();
    large.add('x');
    large.add('}');
    expect(() => large.next()).toThrow("invalid character 'x' after object key:value pair");
  });
});
