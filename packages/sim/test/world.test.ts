import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  drive,
  firstDifference,
  MachineClock,
  NondeterminismError,
  RandomStream,
  SimClock,
  SimProcess,
  World,
  WorldError,
} from '../src/index.ts';
import { EventHeap, isBefore, ScheduledEvent } from '../src/world/event-heap.ts';
import { busyWorld } from './fixtures/busy-world.ts';

const nothing = (): void => undefined;

function event(
  timeUs: number,
  tieBreak: number,
  sequence: number,
  heap?: EventHeap,
): ScheduledEvent {
  const parts = { timeUs, tieBreak, sequence, kind: 'test', run: nothing, owner: undefined };
  return new ScheduledEvent(parts, heap);
}

describe('the event heap', () => {
  it('gives events in the order of a sorted list', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(3))), (items) => {
        const events = items.map(([time, tie], i) => event(time, tie, i));
        const heap = new EventHeap();
        for (const item of events) heap.push(item);
        const popped = events.map(() => heap.pop());
        expect(popped).toEqual([...events].sort((a, b) => (isBefore(a, b) ? -1 : 1)));
        expect(heap.pop()).toBeUndefined();
      }),
    );
  });

  it('stays small however many events are cancelled, and loses none of the others', () => {
    const heap = new EventHeap();
    const kept: ScheduledEvent[] = [];
    for (let i = 0; i < 10_000; i++) {
      const item = event((i * 7919) % 10_007, i % 5, i, heap);
      heap.push(item);
      if (i % 100 === 0) kept.push(item);
      else item.cancel();
    }
    expect(heap.size).toBeLessThan(400);
    kept.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    const left: ScheduledEvent[] = [];
    for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
      if (!next.cancelled) left.push(next);
    }
    expect(left).toEqual(kept);
  });
});

describe('a random stream', () => {
  it('is the same for the same seed and label, and another for another label', () => {
    const draws = (seed: number, label: string): number[] => {
      const stream = new RandomStream(seed, label);
      return Array.from({ length: 20 }, () => stream.uint32());
    };
    expect(draws(7, 'net/1')).toEqual(draws(7, 'net/1'));
    expect(draws(7, 'net/1')).not.toEqual(draws(7, 'net/2'));
    expect(draws(7, 'net/1')).not.toEqual(draws(8, 'net/1'));
    expect(draws(2 ** 40, 'net/1')).not.toEqual(draws(2 ** 41, 'net/1'));
  });

  it('keeps its first draws from version to version', () => {
    const stream = new RandomStream(42, 'pinned');
    expect([stream.uint32(), stream.uint32(), stream.below(1000)]).toMatchInlineSnapshot(`
      [
        3181795159,
        3872444743,
        48,
      ]
    `);
  });

  it('draws evenly and near the mean that it was asked for', () => {
    const stream = new RandomStream(1, 'even');
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 100_000; i++) counts[stream.below(10)]! += 1;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    let sum = 0;
    for (let i = 0; i < 100_000; i++) sum += stream.exponential(1000);
    expect(Math.abs(sum / 100_000 - 1000)).toBeLessThan(60);
  });
});

describe('a driven world', () => {
  it('has the same trace hash for the same seed, and another for another seed', async () => {
    const [first, second, other] = [await busyWorld(5), await busyWorld(5), await busyWorld(6)];
    expect(second).toEqual(first);
    expect(other.digest).not.toBe(first.digest);
  });

  it('has the same trace hash in another process', { timeout: 120_000 }, async () => {
    const script = fileURLToPath(new URL('fixtures/busy-world.ts', import.meta.url));
    const tsx = createRequire(import.meta.url).resolve('tsx');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@etcd-ts/source', '--import', `file://${tsx}`, script, '5'],
      { env: { ...process.env, TZ: 'Asia/Tokyo', LANG: 'C' } },
    );
    expect(stdout.trim()).toBe((await busyWorld(5)).digest);
  });

  it('shows by its checkpoints where two runs part', async () => {
    const calm = await busyWorld(5);
    const disturbed = await busyWorld(5, (world) => {
      world.schedule(600_000, 'disturbance', () => undefined);
    });
    const at = firstDifference(calm.checkpoints, disturbed.checkpoints);
    expect(at).toBeGreaterThan(0);
    expect(firstDifference(calm.checkpoints, calm.checkpoints)).toBe(-1);
  });

  it('runs every continuation of an event before the next event', async () => {
    const world = new World({ seed: 1 });
    const seen: string[] = [];
    await drive(world, async () => {
      const deep = async (name: string): Promise<void> => {
        for (let i = 0; i < 5; i++) await Promise.resolve();
        seen.push(name);
      };
      await new Promise<void>((resolve) => {
        world.schedule(1, 'first', () => void deep('after first'));
        world.schedule(2, 'second', () => {
          seen.push('second');
          resolve();
        });
      });
    });
    expect(seen).toEqual(['after first', 'second']);
  });

  it('orders events of one moment by a draw, not by their coming', async () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const world = new World({ seed });
      const order: number[] = [];
      for (let i = 0; i < 3; i++) world.schedule(5, 'same', () => order.push(i));
      while (world.step());
      orders.add(order.join());
    }
    expect(orders.size).toBeGreaterThan(3);
  });

  it('ends with DEADLOCK when nothing is left to happen', async () => {
    const world = new World({ seed: 1 });
    await expect(drive(world, () => new Promise(() => undefined))).rejects.toMatchObject({
      code: 'DEADLOCK',
    });
  });

  it('ends with TOO_MANY_EVENTS when it never ends', async () => {
    const world = new World({ seed: 1, maxEvents: 100 });
    const again = (): void => void world.schedule(1, 'again', again);
    again();
    await expect(drive(world, () => new Promise(() => undefined))).rejects.toThrow(WorldError);
  });

  it('hands on what an event throws', async () => {
    const world = new World({ seed: 1 });
    world.schedule(1, 'bad', () => {
      throw new Error('planted');
    });
    await expect(drive(world, () => new Promise(() => undefined))).rejects.toThrow('planted');
  });
});

describe('the traps', () => {
  const uses: readonly (readonly [string, () => unknown])[] = [
    ['Date.now', () => Date.now()],
    ['new Date()', () => new Date()],
    ['Date()', () => Date()],
    ['Math.random', () => Math.random()],
    ['performance.now', () => performance.now()],
    ['process.hrtime', () => process.hrtime()],
    ['globalThis.setTimeout', () => setTimeout(() => undefined, 1)],
    ['globalThis.setImmediate', () => setImmediate(() => undefined)],
    ['globalThis.setInterval', () => setInterval(() => undefined, 1)],
    ['crypto.randomUUID', () => crypto.randomUUID()],
    ['crypto.getRandomValues', () => crypto.getRandomValues(new Uint8Array(4))],
    ['AbortSignal.timeout', () => AbortSignal.timeout(1)],
  ];
  it.each(uses)('catch %s while a simulation runs', async (_, use) => {
    const world = new World({ seed: 1 });
    await expect(drive(world, async () => use())).rejects.toThrow(NondeterminismError);
  });

  it('leave the same things alone outside and afterwards', async () => {
    const world = new World({ seed: 1 });
    const outside = new Promise((resolve) => {
      setTimeout(resolve, 0);
    });
    expect(await drive(world, async () => new Date(5).getTime())).toBe(5);
    await outside;
    expect(Date.now()).toBeGreaterThan(0);
    expect(new Date()).toBeInstanceOf(Date);
  });
});

describe('a process', () => {
  it('does nothing more once it is killed', async () => {
    const world = new World({ seed: 1 });
    const process = new SimProcess(world, 'p');
    let ran = 0;
    process.schedule(10, 'work', () => ran++);
    process.kill();
    process.schedule(10, 'work', () => ran++);
    while (world.step());
    expect(ran).toBe(0);
  });

  it('does what fell due during a pause when it goes on, in the order in which it fell due', () => {
    const world = new World({ seed: 1 });
    const process = new SimProcess(world, 'p');
    const seen: string[] = [];
    for (let i = 0; i < 5; i++) {
      process.schedule(10 + i, 'work', () => seen.push(`${i} at ${world.nowUs}`));
    }
    const dropped = process.schedule(12, 'work', () => seen.push('cancelled'));
    process.pause();
    world.schedule(100, 'resume', () => {
      dropped.cancel();
      process.resume();
    });
    while (world.step());
    expect(seen).toEqual(['0 at 100', '1 at 100', '2 at 100', '3 at 100', '4 at 100']);
  });

  it('keeps the order of what it asked to be done soon', () => {
    for (let seed = 0; seed < 20; seed++) {
      const world = new World({ seed });
      const process = new SimProcess(world, 'p');
      const seen: number[] = [];
      for (let i = 0; i < 5; i++) process.soon('soon', () => seen.push(i));
      while (world.step());
      expect(seen).toEqual([0, 1, 2, 3, 4]);
    }
  });
});

describe('a simulated clock', () => {
  const setUp = (): { world: World; machine: MachineClock; clock: SimClock } => {
    const world = new World({ seed: 3 });
    const machine = new MachineClock(5_000_000);
    const clock = new SimClock(new SimProcess(world, 'p'), machine, world.random('late'));
    return { world, machine, clock };
  };
  const runUntil = (world: World, timeUs: number): void => {
    let reached = false;
    world.schedule(timeUs - world.nowUs, 'until', () => (reached = true), 2 ** 32);
    while (!reached) world.step();
  };

  it('never goes back and never fires a timer early, whatever is done to it', () => {
    const act = fc.oneof(
      fc.record({
        do: fc.constant('drift' as const),
        ppm: fc.integer({ min: -50_000, max: 50_000 }),
      }),
      fc.record({ do: fc.constant('freeze' as const) }),
      fc.record({ do: fc.constant('thaw' as const) }),
      fc.record({ do: fc.constant('step' as const), ms: fc.integer({ min: -1000, max: 1000 }) }),
      fc.record({ do: fc.constant('timer' as const), ms: fc.integer({ min: 0, max: 300 }) }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
        const { world, machine, clock } = setUp();
        let fired = 0;
        let asked = 0;
        let last = clock.monotonicMs();
        acts.forEach((what, i) => {
          runUntil(world, (i + 1) * 50_000);
          if (what.do === 'drift') machine.setDrift(world.nowUs, what.ppm);
          else if (what.do === 'freeze') machine.freeze(world.nowUs);
          else if (what.do === 'thaw') machine.thaw(world.nowUs);
          else if (what.do === 'step') machine.stepWall(what.ms);
          else {
            asked++;
            const due = clock.monotonicMs() + what.ms;
            clock.after(what.ms, () => {
              fired++;
              expect(clock.monotonicMs()).toBeGreaterThanOrEqual(due);
            });
          }
          expect(clock.monotonicMs()).toBeGreaterThanOrEqual(last);
          last = clock.monotonicMs();
        });
        machine.thaw(world.nowUs);
        runUntil(world, world.nowUs + 2_000_000);
        expect(fired).toBe(asked);
      }),
      { numRuns: 200 },
    );
  });

  it('runs 5 % fast when it drifts by 50,000 ppm', () => {
    const { world, machine, clock } = setUp();
    machine.setDrift(0, 50_000);
    runUntil(world, 1_000_000);
    expect(clock.monotonicMs()).toBe(5000 + 1050);
  });

  it('steps the wall clock without touching the monotonic one', () => {
    const { machine, clock } = setUp();
    const [wall, monotonic] = [clock.wallMs(), clock.monotonicMs()];
    machine.stepWall(-600_000);
    expect([clock.wallMs() - wall, clock.monotonicMs() - monotonic]).toEqual([-600_000, 0]);
  });

  it('does not fire a timer that was cancelled', () => {
    const { world, clock } = setUp();
    let fired = false;
    clock.after(5, () => (fired = true)).cancel();
    while (world.step());
    expect(fired).toBe(false);
  });
});
