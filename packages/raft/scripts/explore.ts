/** Explores every scope and prints the counts: `npm run raft:explore [-- --states N]`. */
import { explore, SCOPES } from '@etcd-ts/raft/testing';

/** Fewer states than this is no exploration. */
const STATES_MIN = 1_000_000;

function main(): void {
  const args = process.argv.slice(2);
  const at = args.indexOf('--states');
  const statesMax = at < 0 ? undefined : Number(args[at + 1]);
  let states = 0;
  let transitions = 0;
  const start = performance.now();
  for (const scope of SCOPES) {
    const from = performance.now();
    const result = explore(statesMax === undefined ? scope : { ...scope, statesMax });
    const seconds = (performance.now() - from) / 1000;
    states += result.states;
    transitions += result.transitions;
    console.log(
      `${String(result.states).padStart(9)} states ${String(result.transitions).padStart(10)} steps ` +
        `depth ${String(result.depthMax).padStart(3)} ${seconds.toFixed(1).padStart(6)} s ` +
        `${result.isExhausted ? 'all ' : 'part'}  ${result.scope}`,
    );
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage();
  console.log(
    `${states} distinct states, ${transitions} steps, ${seconds.toFixed(1)} s ` +
      `(${((user + system) / 1e6).toFixed(1)} s of processor time), no invariant broken`,
  );
  if (statesMax === undefined && states < STATES_MIN) {
    console.error(`fewer than ${STATES_MIN} states`);
    process.exitCode = 1;
  }
}

main();
