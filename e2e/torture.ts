/** npm run torture [-- SECONDS [SEED]]: kills members of a cluster of processes until the time is up, then judges. */
import { torture } from './harness/torture.ts';

const seconds = Number(process.argv[2] ?? 300);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 32));
console.log(`torture for ${seconds} seconds, seed ${seed}`);
const { blows, wrong, ...figures } = await torture({ seconds, seed, report: console.log });
console.log({ ...blows, ...figures });
if (wrong.length > 0) {
  console.error(wrong.slice(0, 50).join('\n'));
  process.exitCode = 1;
}
