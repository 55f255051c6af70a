/**
 * What makes a request's headers malformed (RFC 9113 section 8.2 and 8.3). Such a request is refused before anybody
 * makes anything of it: its headers may be written down as HTTP/1.1 elsewhere.
 */
import type { HeaderList } from './hpack.ts';

const PSEUDO = [':method', ':scheme', ':path', ':authority'];
const NEEDED = 0b0111;

/** Headers of a connection of HTTP/1.1, which HTTP/2 has no use for. */
const FORBIDDEN = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** The characters of a name: a token, in lower case. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// oxlint-disable-next-line no-control-regex -- what a value must not hold
const NOT_IN_VALUE = /[\u0000\r\n]|^[ \t]|[ \t]$/;

/** Texts that were found sound before. Bounded, since clients choose them. */
class Sound {
  readonly #texts = new Set<string>();

  has(text: string): boolean {
    return this.#texts.has(text);
  }

  add(text: string): void {
    if (this.#texts.size < MAX_SOUND_TEXTS && text.length <= MAX_SOUND_LENGTH) {
      this.#texts.add(text);
    }
  }
}

const MAX_SOUND_TEXTS = 1_000;
const MAX_SOUND_LENGTH = 100;
const soundNames = new Sound();
const soundValues = new Sound();

/** Why a request's headers are malformed; undefined when they are not. */
export function malformedRequest(headers: HeaderList): string | undefined {
  let seen = 0;
  let hasRegular = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (!soundValues.has(value)) {
      if (NOT_IN_VALUE.test(value)) return `value of ${name}`;
      soundValues.add(value);
    }
    if (name.charCodeAt(0) === 0x3a) {
      const bit = 1 << PSEUDO.indexOf(name);
      if (bit <= 0 || (seen & bit) !== 0 || hasRegular) return `pseudo-header ${name}`;
      seen |= bit;
      continue;
    }
    hasRegular = true;
    const problem = malformedHeader(name, value);
    if (problem !== undefined) return problem;
  }
  if ((seen & NEEDED) !== NEEDED) return 'a pseudo-header is missing';
  return headers[headers.indexOf(':path') + 1] === '' ? 'an empty path' : undefined;
}

/** Why trailers are malformed: they have no pseudo-headers. */
export function malformedTrailers(headers: HeaderList): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const problem = malformedHeader(headers[i] as string, headers[i + 1] as string);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function malformedHeader(name: string, value: string): string | undefined {
  if (!soundNames.has(name)) {
    if (!NAME.test(name) || FORBIDDEN.has(name)) return `header ${name}`;
    soundNames.add(name);
  }
  return name === 'te' && value !== 'trailers' ? 'header te' : undefined;
}
