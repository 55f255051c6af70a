import { planFor, Simulation } from '@etcd-ts/raft/testing';
const from = Number(process.argv[2]);
const n = Number(process.argv[3]);
const bad = new Map<string, number[]>();
for (let s = from; s < from + n; s++) {
  try {
    new Simulation({ ...planFor(s), lossPerMille: 0, stepDownOnRemoval: true }).run();
  } catch (e) {
    const k = String(e).split('\n')[0]!.replace(/\d+/g, 'N').slice(0, 120);
    bad.set(k, [...(bad.get(k) ?? []), s]);
  }
}
for (const [k, v] of bad) console.log(k, v.length, v.slice(0, 6));
