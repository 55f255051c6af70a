import { RPCS } from '@etcd-ts/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonMappingError, messageFromJson } from '../../src/listeners/gateway/from-json.ts';
import { JsonError, readJson } from '../../src/listeners/gateway/json-value.ts';
import { messageToJson } from '../../src/listeners/gateway/to-json.ts';

const NAMES = [
  ...new Set(
    RPCS.flatMap(({ request }) => request.fields.flatMap(({ name, property }) => [name, property])),
  ),
];

/** JSON that has a good chance to be some request. */
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(
      null,
      true,
      0,
      7,
      -1,
      '12',
      1e3,
      1.5,
      'Zm9v',
      '',
      'NOSPACE',
      'MOD',
      '#',
    ),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie('tree'), { maxKeys: 4 }),
  ),
}));
const anyText = fc.oneof(
  tree.map((value) => JSON.stringify(value)),
  fc
    .tuple(
      tree.map((value) => JSON.stringify(value)),
      fc.nat(),
      fc.string({ maxLength: 3 }),
    )
    .map(([text, at, noise]) => {
      const cut = at % (text.length + 1);
      return text.slice(0, cut) + noise + text.slice(cut + 1);
    }),
);

test('any text is a message that comes back as it was, or an error with a text', () => {
  fc.assert(
    fc.property(anyText, fc.nat(RPCS.length - 1), (text, i) => {
      const codec = RPCS[i]?.request as (typeof RPCS)[number]['request'];
      let message: never;
      try {
        const read = readJson(text);
        if (read === undefined) return;
        message = messageFromJson(codec, read.value, text) as never;
      } catch (error) {
        expect(error instanceof JsonError || error instanceof JsonMappingError).toBe(true);
        return;
      }
      const json = messageToJson(codec as never, message);
      JSON.parse(json);
      const again = messageFromJson(codec, readJson(json)?.value as never, json) as never;
      expect(Buffer.compare(codec.encode(again), codec.encode(message))).toBe(0);
    }),
    { numRuns: 2_000 },
  );
});
