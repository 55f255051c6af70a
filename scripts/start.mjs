// npm start: set-up, build, three members in one process, a short demonstration; then they serve until Ctrl-C.
// `npm start -- --once` leaves after the demonstration.
import './build.mjs';
import { tool } from './lib.mjs';

const tsx = ['--conditions=@etcd-ts/source', 'examples/three-members.ts'];
tool('tsx', [...tsx, ...process.argv.slice(2)]);
