/** npm run torture: see torture.ts. Exits with 1 when something is lost, with 2 when the command line is wrong. */
import { readCommandLine, wholeNumber } from '../../tools/command-line/command-line.ts';
import { torture } from './torture.ts';

const USAGE = `usage: npm run torture -- [options]

  --kills N    end after so many kills (default 200, when no other limit is given)
  --seconds N  end after so many seconds
  --seed N     what is done to whom, and when (default: drawn)`;

const { values } = readCommandLine(USAGE, {
  kills: { type: 'string' },
  seconds: { type: 'string' },
  seed: { type: 'string' },
});
const given = (flag: 'kills' | 'seconds' | 'seed'): number | undefined => {
  const text = values[flag];
  return text === undefined ? undefined : wholeNumber(USAGE, `--${flag}`, text);
};
const limits = { kills: given('kills'), seconds: given('seconds') };
const seed = given('seed') ?? Math.floor(Math.random() * 2 ** 31);
console.log(`seed ${seed}`);
const report = await torture({
  seed,
  ...(limits.kills === undefined ? {} : { kills: limits.kills }),
  ...(limits.seconds === undefined ? {} : { seconds: limits.seconds }),
  ...(limits.kills === undefined && limits.seconds === undefined ? { kills: 200 } : {}),
  say: (line) => console.log(line),
});
const { kills, acknowledged, unknown, reads, wrong } = report;
console.log(
  `${kills} kills, ${acknowledged} writes acknowledged, ${unknown} unknown, ${reads} reads`,
);
for (const line of wrong) console.error(line);
console.log(wrong.length === 0 ? 'nothing lost' : `${wrong.length} things wrong`);
process.exit(wrong.length === 0 ? 0 : 1);
