import { EtcdError, type Channel } from '@etcd-ts/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CALM_WEATHER, Network, type NetworkWeather } from '../src/network/network.ts';
import {
  CLIENT_KEEPALIVE_TIMEOUT_US,
  type MemberDoor,
  SimChannel,
} from '../src/network/sim-channel.ts';
import { drive } from '../src/world/node/drive.ts';
import { SimProcess } from '../src/world/process.ts';
import { World } from '../src/world/world.ts';

const setUp = (seed: number, weather: Partial<NetworkWeather> = {}) => {
  const world = new World({ seed });
  const network = new Network(world, { ...CALM_WEATHER, ...weather });
  const [a, b] = [new SimProcess(world, 'a'), new SimProcess(world, 'b')];
  network.attach('a', a);
  network.attach('b', b);
  const got: number[] = [];
  const lost: string[] = [];
  const send = (i: number, lane?: string): void =>
    network.send({
      from: 'a',
      to: 'b',
      lane,
      sizeBytes: 10,
      isDatagram: true,
      deliver: () => got.push(i),
      onLost: (reason) => lost.push(reason),
    });
  const finish = (): void => {
    while (world.step());
  };
  return { world, network, a, b, got, lost, send, finish };
};

describe('the network in stream mode', () => {
  it('keeps the order of a lane, whatever the delays and losses', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.array(fc.nat(400), { maxLength: 40 }), (seed, gaps) => {
        const { world, got, send, finish } = setUp(seed, {
          lossChance: 0.2,
          meanExtraDelayUs: 5000,
        });
        let atUs = 0;
        gaps.forEach((gap, i) => {
          atUs += gap + 1;
          world.schedule(atUs, 'send', () => send(i, 'lane'));
        });
        finish();
        expect(got).toEqual([...got].sort((x, y) => x - y));
        expect(new Set(got).size).toBe(got.length);
      }),
    );
  });

  it('lets messages without a lane overtake one another', () => {
    const { got, send, finish } = setUp(1, { meanExtraDelayUs: 5000 });
    for (let i = 0; i < 50; i++) send(i);
    finish();
    expect(got.length).toBe(50);
    expect(got).not.toEqual([...got].sort((x, y) => x - y));
  });

  it('loses what a cut finds on its way, in one direction', () => {
    const { network, got, lost, send, finish } = setUp(1);
    send(1);
    network.cut('a', 'b');
    send(2);
    expect([network.isOpen('a', 'b'), network.isOpen('b', 'a')]).toEqual([false, true]);
    finish();
    expect([got, lost]).toEqual([[], ['broken', 'broken']]);
    network.mend('a', 'b');
    send(3);
    finish();
    expect(got).toEqual([3]);
  });

  it('is as narrow as the narrowest of its faults, and as wide as before when all are over', () => {
    const { world, network, send, finish } = setUp(1);
    const takenUs = (): number => {
      const beganUs = world.nowUs;
      send(1);
      finish();
      return world.nowUs - beganUs;
    };
    const wideUs = takenUs();
    const widen = [network.narrow(10), network.narrow(1_000)];
    expect(takenUs()).toBeGreaterThan(1_000_000); // 10 bytes at 10 bytes a second
    widen[0]?.();
    const narrowUs = takenUs();
    expect(narrowUs).toBeGreaterThan(10_000);
    expect(narrowUs).toBeLessThan(1_000_000);
    widen[1]?.();
    expect(takenUs()).toBeLessThan(10_000);
    expect(wideUs).toBeLessThan(10_000);
    network.narrow(10);
    network.heal();
    expect(takenUs()).toBeLessThan(10_000);
  });

  it('holds back what a clog finds, and loses nothing', () => {
    const { world, network, got, send, finish } = setUp(1);
    network.clog('a', 'b');
    for (let i = 0; i < 5; i++) send(i, 'lane');
    world.schedule(1_000_000, 'unclog', () => network.unclog('a', 'b'));
    finish();
    expect(got).toEqual([0, 1, 2, 3, 4]);
    expect(world.nowUs).toBeGreaterThan(1_000_000);
  });

  it('refuses for a dead process, and does not hand its messages to the next one', () => {
    const { world, network, b, got, lost, send, finish } = setUp(1);
    send(1);
    b.kill();
    send(2);
    network.attach('b', new SimProcess(world, 'b2'));
    finish();
    expect([got, lost.sort()]).toEqual([[], ['broken', 'refused']]);
  });
});

describe('the network in datagram mode', () => {
  it('repeats, reorders and delivers to the next process at the address', () => {
    const { world, network, b, got, send, finish } = setUp(5, {
      mode: 'datagram',
      duplicateChance: 0.3,
      replayChance: 0.3,
    });
    for (let i = 0; i < 40; i++) send(i, 'lane');
    world.schedule(400, 'restart', () => {
      b.kill();
      network.attach('b', new SimProcess(world, 'b2'));
    });
    finish();
    expect(got.length).toBeGreaterThan(45);
    expect(got).not.toEqual([...got].sort((x, y) => x - y));
  });
});

describe('a client channel', () => {
  const open = (seed: number, answer: () => Promise<unknown>) => {
    const { world, network, a, b } = setUp(seed);
    const member = { unary: answer, stream: () => undefined, close: async () => undefined };
    const door: MemberDoor = { process: b, channel: member as unknown as Channel };
    const channel = new SimChannel({
      network,
      process: a,
      clientAddress: 'a',
      memberAddress: 'b',
      door: () => (b.isAlive ? door : undefined),
    });
    const get = (timeoutMs?: number) =>
      channel.unary(
        'etcdserverpb.KV/Range',
        {} as never,
        timeoutMs === undefined ? {} : { timeoutMs },
      );
    const failure = (timeoutMs?: number): Promise<unknown[]> =>
      get(timeoutMs).then(
        () => ['answered'],
        (error: unknown) =>
          EtcdError.is(error) ? [error.code, error.mayHaveApplied, world.nowUs] : [error],
      );
    return { world, network, b, get, failure };
  };

  it('answers after both ways', async () => {
    const { world, get } = open(1, async () => 'answer');
    expect(await drive(world, () => get())).toBe('answer');
    expect(world.nowUs).toBeGreaterThanOrEqual(2 * CALM_WEATHER.minDelayUs);
  });

  it('knows that a refused call had no effect', async () => {
    const { world, b, failure } = open(1, async () => 'answer');
    b.kill();
    expect((await drive(world, () => failure())).slice(0, 2)).toEqual(['UNAVAILABLE', false]);
  });

  it('does not know what became of a call that its member died with', async () => {
    const { world, b, failure } = open(1, () => new Promise(() => undefined));
    world.schedule(50_000, 'kill', () => b.kill());
    expect((await drive(world, () => failure())).slice(0, 2)).toEqual(['UNAVAILABLE', true]);
  });

  it('ends by its deadline when the link is silent, and by keepalive without one', async () => {
    const { world, network, failure } = open(1, async () => 'answer');
    network.cut('b', 'a');
    expect(await drive(world, () => failure(100))).toEqual(['DEADLINE_EXCEEDED', true, 100_000]);
    const [code, mayHaveApplied, atUs] = await drive(world, () => failure());
    expect([code, mayHaveApplied]).toEqual(['UNAVAILABLE', true]);
    expect(atUs).toBeGreaterThan(CLIENT_KEEPALIVE_TIMEOUT_US);
  });
});
