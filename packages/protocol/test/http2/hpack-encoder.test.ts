import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HpackDecoder } from '../../src/http2/hpack.ts';
import { HeaderSet, HpackEncoder } from '../../src/http2/hpack-encoder.ts';

const request = new HeaderSet([
  [':method', 'POST'],
  [':path', '/etcdserverpb.KV/Range'],
  ['content-type', 'application/grpc'],
  ['token', 'abcdefghijklmnop.12345'],
]);

describe('an encoder of header blocks', () => {
  test('says every header once, and then a byte for each', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const sizes = Array.from({ length: 4 }, () => {
      const block = encoder.encode(request);
      expect(decoder.decode(block)).toEqual(request.headers.flat());
      return block.length;
    });
    expect(sizes[0]).toBeGreaterThan(60);
    expect(sizes.slice(1)).toEqual([4, 4, 4]);
  });

  test('does not take a set for said that another connection has said', () => {
    const range = new HeaderSet([[':path', '/etcdserverpb.KV/Range']]);
    const put = new HeaderSet([[':path', '/etcdserverpb.KV/Put']]);
    for (const order of [
      [range, put],
      [put, range],
    ]) {
      // A new connection says the same headers in another order: its table is another one.
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder();
      for (const set of [...order, ...order, range, put]) {
        expect(decoder.decode(encoder.encode(set))).toEqual(set.headers.flat());
      }
    }
  });

  test('and a decoder stay of one mind, whatever is sent and however the table is resized', () => {
    const header = fc.tuple(
      fc.constantFrom('a', 'token', 'x-very-long-name'.repeat(8)),
      fc.constantFrom('', '1', '2', 'v'.repeat(200), 'w'.repeat(2_000), 'z'.repeat(5_000)),
    );
    const sets = fc.array(fc.array(header, { maxLength: 6 }), { minLength: 1, maxLength: 5 });
    const step = fc.record({
      set: fc.nat(4),
      resize: fc.option(fc.constantFrom(0, 100, 300, 4_096, 1 << 20), { nil: undefined }),
    });
    fc.assert(
      fc.property(sets, fc.array(step, { maxLength: 40 }), (lists, steps) => {
        const all = lists.map((headers) => new HeaderSet(headers));
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder();
        for (const { set, resize } of steps) {
          if (resize !== undefined) encoder.setMaxTableBytes(resize);
          const chosen = all[set % all.length];
          if (chosen === undefined) continue;
          expect(decoder.decode(encoder.encode(chosen))).toEqual(chosen.headers.flat());
        }
      }),
      { numRuns: 500 },
    );
  });
});
