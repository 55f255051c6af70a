/**
 * Traps on every global source of time and chance: while a simulation runs, touching one throws instead of quietly
 * making the run irreproducible.
 *
 * Outside the simulation's own turns (the test runner's timers, say) the real things answer as ever.
 */
import childProcess from 'node:child_process';
import crypto from 'node:crypto';
import dns from 'node:dns';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import perfHooks from 'node:perf_hooks';
import process from 'node:process';
import timers from 'node:timers';

/** Code under simulation reached for something that the seed does not decide. */
export class NondeterminismError extends Error {
  override readonly name = 'NondeterminismError';

  constructor(what: string) {
    super(`${what} was used while a simulation runs: take it from the node's surroundings instead`);
  }
}

type Holder = Record<string, unknown>;

const TRAPPED: readonly (readonly [string, Holder, readonly string[]])[] = [
  ['Math', Math as unknown as Holder, ['random']],
  ['performance', performance as unknown as Holder, ['now']],
  ['performance', perfHooks.performance as unknown as Holder, ['now']],
  ['process', process as unknown as Holder, ['hrtime', 'memoryUsage', 'cpuUsage', 'uptime']],
  ['globalThis', globalThis as unknown as Holder, ['setTimeout', 'setInterval', 'setImmediate']],
  ['timers', timers as unknown as Holder, ['setTimeout', 'setInterval', 'setImmediate']],
  ['AbortSignal', AbortSignal as unknown as Holder, ['timeout']],
  [
    'crypto',
    crypto as unknown as Holder,
    ['randomBytes', 'randomUUID', 'randomInt', 'randomFillSync'],
  ],
  ['crypto', globalThis.crypto as unknown as Holder, ['getRandomValues', 'randomUUID']],
  [
    'fs',
    fs as unknown as Holder,
    [
      'open',
      'openSync',
      'read',
      'readSync',
      'write',
      'writeSync',
      'fsync',
      'fdatasync',
      'readFile',
      'writeFile',
    ],
  ],
  ['net', net as unknown as Holder, ['connect', 'createConnection', 'createServer']],
  ['dns', dns as unknown as Holder, ['lookup', 'resolve']],
  ['child_process', childProcess as unknown as Holder, ['spawn', 'fork', 'exec']],
];

let installed = 0;
let armed = false;
let undo: (() => void)[] = [];

/** Puts the traps in place, unarmed. Nests: as many {@link removeTraps} take them away again. */
export function installTraps(): void {
  installed++;
  if (installed > 1) return;
  for (const [name, holder, properties] of TRAPPED) {
    for (const property of properties) trapFunction(name, holder, property);
  }
  trapDate();
  syncBuiltinESMExports();
}

/** Takes the traps away. */
export function removeTraps(): void {
  installed--;
  if (installed > 0) return;
  for (const step of undo.reverse()) step();
  undo = [];
  syncBuiltinESMExports();
}

/** Runs a turn of the simulation with the traps armed. */
export function underTraps<T>(turn: () => T): T {
  armed = true;
  try {
    return turn();
  } finally {
    armed = false;
  }
}

function trapFunction(name: string, holder: Holder, property: string): void {
  const own = Object.getOwnPropertyDescriptor(holder, property);
  const real = holder[property];
  if (typeof real !== 'function' || own?.configurable === false) return;
  const trapped = new Proxy(real as (...parameters: unknown[]) => unknown, {
    apply(target, self, parameters): unknown {
      if (armed) throw new NondeterminismError(`${name}.${property}`);
      return Reflect.apply(target, self, parameters) as unknown;
    },
  });
  Object.defineProperty(holder, property, {
    configurable: true,
    writable: true,
    enumerable: own?.enumerable ?? false,
    value: trapped,
  });
  undo.push(() => {
    if (own === undefined) Reflect.deleteProperty(holder, property);
    else Object.defineProperty(holder, property, own);
  });
}

/** `new Date(value)` stays, for it asks no clock; `new Date()`, `Date()` and `Date.now()` do. */
function trapDate(): void {
  const real = globalThis.Date;
  const trapped = new Proxy(real, {
    construct(target, parameters, newTarget): object {
      if (armed && parameters.length === 0) throw new NondeterminismError('new Date()');
      return Reflect.construct(target, parameters, newTarget) as object;
    },
    apply(target, self, parameters): unknown {
      if (armed) throw new NondeterminismError('Date()');
      return Reflect.apply(target as unknown as () => string, self, parameters) as unknown;
    },
    get(target, property, receiver): unknown {
      if (armed && property === 'now') throw new NondeterminismError('Date.now');
      return Reflect.get(target, property, receiver) as unknown;
    },
  });
  globalThis.Date = trapped;
  undo.push(() => {
    globalThis.Date = real;
  });
}
