import { concatBytes } from '@etcd-ts/base';
import { PutRequest } from '../../src/index.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeStatusText,
  encodeStatusText,
  formatTimeout,
  FrameReader,
  metadataOf,
  parseTimeoutMs,
} from '../../src/http2/grpc-wire.ts';

/** A message as gRPC frames it. */
function framed(message: Uint8Array): Uint8Array {
  const { length } = message;
  return concatBytes([
    new Uint8Array([0, length >>> 24, length >>> 16, length >>> 8, length]),
    message,
  ]);
}

describe('messages', () => {
  test('come out whole and in order, however their bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
        (messages, sizes) => {
          const bytes = concatBytes(messages.map(framed));
          const reader = new FrameReader(1_000);
          const out: Uint8Array[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            // A chunk of its own, which is overwritten afterwards, as a socket's buffer would be.
            const chunk = bytes.slice(at, at + size);
            out.push(...reader.push(chunk).map((message) => new Uint8Array(message)));
            at += size;
          }
          expect(out).toEqual(messages.map((message) => new Uint8Array(message)));
          expect(reader.waitingBytes).toBe(0);
        },
      ),
    );
  });

  test('that stay small keep no large buffer', () => {
    const chunk = new Uint8Array(60_000);
    chunk.set(framed(new Uint8Array([1, 2, 3])));
    const [message] = new FrameReader(100_000).push(chunk.subarray(0, 8));
    expect([message?.length, message?.buffer.byteLength]).toEqual([3, 3]);
  });

  test('in a million pieces cost no more than their length', () => {
    const bytes = framed(new Uint8Array(300_000));
    const reader = new FrameReader(1_000_000);
    let messages = 0;
    for (let at = 0; at < bytes.length; at++)
      messages += reader.push(bytes.subarray(at, at + 1)).length;
    expect(messages).toBe(1);
  });

  test("that are too large are refused by their length alone, in grpc-go's words", () => {
    const reader = new FrameReader(2_097_152);
    expect(() => reader.push(new Uint8Array([0, 0, 0x2d, 0xc6, 0xca]))).toThrow(
      'grpc: received message larger than max (3000010 vs. 2097152)',
    );
    expect(() => new FrameReader(100).push(new Uint8Array([0, 0xff, 0xff, 0xff, 0xff]))).toThrow(
      '(4294967295 vs. 100)',
    );
  });

  test('that are compressed are refused where none may be', () => {
    expect(() => new FrameReader(100).push(new Uint8Array([1, 0, 0, 0, 0]))).toThrow(
      'grpc: compressed flag set with identity or empty encoding',
    );
    const reader = new FrameReader(100, (bytes) => bytes);
    expect(() => reader.push(new Uint8Array([2, 0, 0, 0, 0]))).toThrow(
      'grpc: received unexpected payload format 2',
    );
  });

  test('that are compressed come out as they were, among others that are not', () => {
    const reader = new FrameReader(9, (bytes, maxBytes) => new Uint8Array([...bytes, maxBytes]));
    const frames = [1, 0, 0, 0, 1, 7, 0, 0, 0, 0, 1, 7];
    expect(reader.push(new Uint8Array(frames)).map((message) => [...message])).toEqual([
      [7, 9],
      [7],
    ]);
  });

  test('of our codecs are framed the same way', () => {
    const request = PutRequest.fromPartial({ key: new Uint8Array([1, 2]) });
    expect(new FrameReader(100).push(PutRequest.encodeFrame(request))).toEqual([
      PutRequest.encode(request),
    ]);
  });
});

describe('headers', () => {
  const timeouts: readonly [string, number][] = [
    ['2H', 7_200_000],
    ['3M', 180_000],
    ['5S', 5_000],
    ['500m', 500],
    ['1500u', 1.5],
    ['99999999n', 99.999999],
  ];
  for (const [text, ms] of timeouts) {
    test(`the time-out ${text} is ${ms} milliseconds`, () => {
      expect(parseTimeoutMs(text)).toBeCloseTo(ms);
    });
  }

  test('a time-out is written so that it is read as at least as long', () => {
    const ms = fc.oneof(fc.double({ min: 0.001, max: 1e13, noNaN: true }), fc.nat(1_000_000));
    fc.assert(
      fc.property(ms, (timeoutMs) => {
        const text = formatTimeout(timeoutMs);
        expect(text).toMatch(/^\d{1,8}[mSH]$/);
        expect(parseTimeoutMs(text)).toBeGreaterThanOrEqual(timeoutMs);
      }),
    );
    expect(formatTimeout(5_000)).toBe('5000m');
  });

  test('a malformed time-out is not a number, none is none', () => {
    for (const text of ['', '5', 'S', '-1S', '1.5S', '123456789S', '5s'])
      expect(parseTimeoutMs(text)).toBeNaN();
    expect(parseTimeoutMs(undefined)).toBeUndefined();
  });

  test("metadata is what is neither HTTP's nor gRPC's nor binary; the first value counts, as in etcd", () => {
    const http = ':path /a te trailers content-type application/grpc grpc-timeout 1S'.split(' ');
    const own = 'token old hasleader true trace-bin AAA token new'.split(' ');
    const headers = [...http, ...own];
    expect([...metadataOf(headers)]).toEqual([
      ['token', 'old'],
      ['hasleader', 'true'],
    ]);
  });

  test('status texts are percent-encoded where they must be', () => {
    expect(encodeStatusText('etcdserver: key is not provided')).toBe(
      'etcdserver: key is not provided',
    );
    expect(encodeStatusText('100 % größer\n')).toBe('100 %25 gr%C3%B6%C3%9Fer%0A');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const encoded = encodeStatusText(text);
        expect(encoded).toMatch(/^[ -~]*$/);
        expect(decodeStatusText(encoded)).toBe(text);
      }),
    );
  });

  test('a status text that is not well encoded stays readable', () => {
    expect(decodeStatusText('100 % sure')).toBe('100 % sure');
    expect(decodeStatusText('50%25 %ff')).toBe('50%25 %ff');
  });
});
