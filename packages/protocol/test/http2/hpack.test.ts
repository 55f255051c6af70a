import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Http2Error } from '../../src/http2/frame.ts';
import { headerBlock } from '../../src/http2/header-block.ts';
import { HpackDecoder, MAX_HEADER_LIST_BYTES } from '../../src/http2/hpack.ts';

const hex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('header blocks', () => {
  test('RFC 7541 C.3: three requests without Huffman code, on one table', () => {
    const decoder = new HpackDecoder();
    expect(decoder.decode(hex('8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d'))).toEqual([
      ':method',
      'GET',
      ':scheme',
      'http',
      ':path',
      '/',
      ':authority',
      'www.example.com',
    ]);
    expect(decoder.decode(hex('8286 84be 5808 6e6f 2d63 6163 6865'))).toEqual([
      ':method',
      'GET',
      ':scheme',
      'http',
      ':path',
      '/',
      ':authority',
      'www.example.com',
      'cache-control',
      'no-cache',
    ]);
    expect(
      decoder.decode(
        hex('8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65'),
      ),
    ).toEqual([
      ':method',
      'GET',
      ':scheme',
      'https',
      ':path',
      '/index.html',
      ':authority',
      'www.example.com',
      'custom-key',
      'custom-value',
    ]);
  });

  test('RFC 7541 C.4: the same with Huffman code', () => {
    const decoder = new HpackDecoder();
    expect(decoder.decode(hex('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff')).at(-1)).toBe(
      'www.example.com',
    );
    expect(decoder.decode(hex('8286 84be 5886 a8eb 1064 9cbf')).at(-1)).toBe('no-cache');
    expect(
      decoder.decode(hex('8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf')).slice(-2),
    ).toEqual(['custom-key', 'custom-value']);
  });

  test('our own blocks are read as they were written, whatever their length', () => {
    const header = fc.tuple(
      fc.string({ unit: fc.constantFrom('a', 'b', 'xyz', '-'), minLength: 1, maxLength: 300 }),
      fc.string({ unit: fc.constantFrom('A', 'b', ' ', '0', '%', '~'), maxLength: 400 }),
    );
    fc.assert(
      fc.property(fc.array(header, { maxLength: 10 }), (headers) => {
        const block = headerBlock([[':status', '200'], ...headers]);
        expect(new HpackDecoder().decode(block)).toEqual([':status', '200', ...headers.flat()]);
      }),
    );
  });

  test('the table forgets the oldest when it is full, and all when it is resized to nothing', () => {
    const decoder = new HpackDecoder();
    const kept = (value: string): number[] => [
      0x40,
      1,
      0x61,
      0x7f,
      ((value.length - 0x7f) & 0x7f) | 0x80,
      (value.length - 0x7f) >> 7,
      ...Buffer.from(value),
    ];
    decoder.decode(new Uint8Array(kept('x'.repeat(2000))));
    decoder.decode(new Uint8Array(kept('y'.repeat(2000))));
    expect(decoder.decode(new Uint8Array([0xbe, 0xbf])).map((text) => text[0])).toEqual([
      'a',
      'y',
      'a',
      'x',
    ]);
    decoder.decode(new Uint8Array(kept('z'.repeat(2000))));
    expect(() => decoder.decode(new Uint8Array([0xc0]))).toThrow('no header with index 64');
    expect(() => decoder.decode(new Uint8Array([0x20, 0xbe]))).toThrow('no header with index 62');
  });

  const refused: readonly [string, string, string][] = [
    ['index 0', '80', 'no header with index 0'],
    ['an index beyond both tables', 'be', 'no header with index 62'],
    ['a string beyond the end', '0001 61 05 6162', 'beyond the end'],
    ['an integer without end', 'ff ff ff ff ff ff', 'integer out of bounds'],
    ['a table larger than ours', '3f e2 1f', 'limit 4096'],
    ['a resize after a header', '82 20', 'after a header'],
    ['a Huffman string whose padding is too long', '0001 61 82 1f ff', 'Huffman'],
    ['a Huffman string whose padding is not ones', '0001 61 81 18', 'Huffman'],
    ['the end of string inside a Huffman string', '0001 61 84 ff ff ff ff', 'Huffman'],
    ['nothing after a literal', '40', 'unexpected end'],
  ];
  for (const [what, block, message] of refused) {
    test(`${what} is refused`, () => {
      expect(() => new HpackDecoder().decode(hex(block))).toThrow(message);
    });
  }

  test('a list that grows out of a small block is refused', () => {
    const decoder = new HpackDecoder();
    const value = 'x'.repeat(3_000);
    decoder.decode(
      new Uint8Array([
        0x40,
        1,
        0x61,
        0x7f,
        ((3_000 - 0x7f) & 0x7f) | 0x80,
        (3_000 - 0x7f) >> 7,
        ...Buffer.from(value),
      ]),
    );
    const times = Math.ceil(MAX_HEADER_LIST_BYTES / 3_000) + 1;
    expect(() => decoder.decode(new Uint8Array(times).fill(0xbe))).toThrow(
      'header list larger than',
    );
  });

  test('any bytes give headers or an Http2Error', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }), (blocks) => {
        const decoder = new HpackDecoder();
        for (const block of blocks) {
          try {
            decoder.decode(block);
          } catch (error) {
            expect(error).toBeInstanceOf(Http2Error);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
