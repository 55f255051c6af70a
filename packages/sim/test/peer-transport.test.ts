/** The simulator's transport keeps the port's promises, its snapshots over connections that break included. */
import { clusterId, memberId } from '@etcd-ts/base';
import type { PeerHandlers } from '@etcd-ts/server';
import { peerTransportSuite, type TransportWorld } from '@etcd-ts/server/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { Network } from '../src/network/network.ts';
import { PeerDirectory, SimPeerTransport } from '../src/network/sim-peer-transport.ts';
import { SimProcess } from '../src/world/process.ts';
import { World } from '../src/world/world.ts';

/** Virtual time that passes in one turn of the real event loop. */
const TURN_US = 100;
/** For how long broken connections stay broken. */
const BREAK_US = 2_000;

let isOver = false;

afterEach(() => {
  isOver = true;
});

const realTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets the world go on until the claim is shown. */
async function goOn(world: World): Promise<void> {
  isOver = false;
  while (!isOver) {
    let isTurnOver = false;
    world.schedule(TURN_US, 'turn', () => (isTurnOver = true));
    while (!isTurnOver) {
      world.step();
      await Promise.resolve();
    }
    await realTurn();
  }
}

function simulated(): TransportWorld {
  const world = new World({ seed: 1 });
  void goOn(world);
  const network = new Network(world);
  const directory = new PeerDirectory();
  const addresses: string[] = [];
  return {
    turn: realTurn,
    breakConnections: () => {
      for (const from of addresses) {
        for (const to of addresses) if (from !== to) network.cut(from, to);
      }
      world.schedule(BREAK_US, 'heal', () => network.heal());
    },
    make: () => {
      const address = `http://10.0.0.${addresses.length + 1}:2380`;
      addresses.push(address);
      const process = new SimProcess(world, address);
      const monotonicMs = (): number => world.nowUs / 1000;
      const transport = new SimPeerTransport({ network, directory, process, address, monotonicMs });
      return { transport, url: () => address };
    },
  };
}

describe('in the simulator', () => {
  for (const { name, run } of peerTransportSuite(simulated)) test(name, run);

  test('a process that has ended takes the address from none that follows it', async () => {
    const world = new World({ seed: 1 });
    const network = new Network(world);
    const directory = new PeerDirectory();
    const address = 'http://10.0.0.1:2380';
    const transportOf = (process: SimProcess): SimPeerTransport =>
      new SimPeerTransport({ network, directory, process, address, monotonicMs: () => 0 });
    const [ended, next] = [new SimProcess(world, 'ended'), new SimProcess(world, 'next')];
    const late = transportOf(ended);
    const transport = transportOf(next);
    const local = { id: memberId(1n), clusterId: clusterId(7n), peerUrls: () => [address] };
    const handlers = {} as PeerHandlers;
    ended.kill();
    await transport.start(local, handlers);
    void late.start(local, handlers);
    expect(directory.at(address)).toBe(transport);
    expect(network.processAt(address)).toBe(next);
  });
});
