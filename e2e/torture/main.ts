/** npm run torture -- [--kills N] [--seconds N] [--seed N]: see torture.ts. Exits with 1 when something is lost. */
import { parseArgs } from 'node:util';
import { torture } from './torture.ts';

const { values } = parseArgs({
  options: { kills: { type: 'string' }, seconds: { type: 'string' }, seed: { type: 'string' } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const limits = {
  ...(values.kills === undefined ? {} : { kills: Number(values.kills) }),
  ...(values.seconds === undefined ? {} : { seconds: Number(values.seconds) }),
};
const unlimited = Object.keys(limits).length === 0;
console.log(`seed ${seed}`);
const report = await torture({
  seed,
  ...(unlimited ? { kills: 200 } : limits),
  say: (line) => console.log(line),
});
const { kills, acknowledged, unknown, reads, wrong } = report;
console.log(
  `${kills} kills, ${acknowledged} writes acknowledged, ${unknown} unknown, ${reads} reads`,
);
for (const line of wrong) console.error(line);
console.log(wrong.length === 0 ? 'nothing lost' : `${wrong.length} things wrong`);
process.exit(wrong.length === 0 ? 0 : 1);
