/** No bytes. Shared, so never written to. */
export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Texts up to this length are nearly always ASCII, and then quicker copied here than by the encoder. */
const SHORT_TEXT_LENGTH = 32;

/** UTF-8 bytes of a string. */
export function utf8(text: string): Uint8Array {
  if (text.length === 0) return EMPTY_BYTES;
  if (text.length > SHORT_TEXT_LENGTH) return encoder.encode(text);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return encoder.encode(text);
    bytes[i] = unit;
  }
  return bytes;
}

/** The string of UTF-8 bytes; malformed sequences become U+FFFD. */
export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Orders byte strings as memcmp does, shorter first: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** True when both hold the same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** One array of all the parts, in order. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * The exclusive end of the range that holds exactly the keys with this prefix.
 *
 * An empty or all-0xff prefix has none: the result is then `\0`, which etcd reads as "from the key on"
 * (etcd client/v3/op.go, GetPrefixRangeEnd).
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] as number;
    if (byte < 0xff) {
      const end = prefix.slice(0, i + 1);
      end[i] = byte + 1;
      return end;
    }
  }
  return new Uint8Array([0]);
}

/** One character per byte, U+0000 to U+00FF: comparing two such strings with `<` is byte order. */
export function toLatin1(bytes: Uint8Array): string {
  const length = bytes.length;
  if (length > 48) {
    return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
  }
  let text = '';
  for (let i = 0; i < length; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

/** The bytes of a string that {@link toLatin1} made. */
export function fromLatin1(text: string): Uint8Array {
  const length = text.length;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
