/** Faults of the network (N1 to N15). */
import type { NetworkFault } from '../plan/planned-fault.ts';
import type { Scene, Undo } from './scene.ts';

/** Whether a link between two members is meant. */
type Between = (from: number, to: number) => boolean;

/** Lets a fault of the network begin. */
export function beginNetworkFault(scene: Scene, fault: NetworkFault): Undo {
  const { cluster } = scene;
  const { network } = cluster;
  switch (fault.kind) {
    case 'partition':
      return cutLinks(scene, (a, b) => groupOf(fault.groups, a) !== groupOf(fault.groups, b));
    case 'oneWay': {
      const { number } = cluster.resolve(fault.target);
      return cutLinks(scene, (a, b) => (fault.deaf ? b : a) === number);
    }
    case 'isolate': {
      const { number } = cluster.resolve(fault.target);
      return cutLinks(scene, touches(number));
    }
    case 'ring': {
      const size = cluster.members.length;
      return cutLinks(scene, (a, b) => ![1, size - 1].includes(Math.abs(a - b)));
    }
    case 'bridge': {
      const { number } = cluster.resolve(fault.target);
      return cutLinks(scene, (a, b) => a !== number && b !== number);
    }
    case 'clog':
      return clog(scene, fault.targets);
    case 'slow':
      return onLinks(scene, fault.target, (a, b, isOn) =>
        network.slow(a, b, isOn ? fault.extraMs * 1000 : 0),
      );
    case 'tail':
      return onLinks(scene, fault.target, (a, b, isOn) =>
        network.lengthenTail(a, b, isOn ? fault.meanMs * 1000 : 0),
      );
    case 'lossy':
      return onLinks(scene, fault.target, (a, b, isOn) =>
        network.drop(a, b, isOn ? fault.chance : 0),
      );
    case 'narrow':
      return network.narrow(fault.bytesPerSecond);
    case 'cutClient':
      return cutClient(scene, `client-${fault.client}`);
    case 'reset':
      cluster.reset(`client-${fault.client}`);
      return () => undefined;
  }
}

/** Cuts links between members. */
export function cutLinks(scene: Scene, isCut: Between): Undo {
  const { network } = scene.cluster;
  const links = linksOf(scene, isCut);
  for (const [a, b] of links) network.cut(a, b);
  return () => {
    for (const [a, b] of links) network.mend(a, b);
  };
}

/** Every link of one member. */
export function touches(number: number): Between {
  return (a, b) => a === number || b === number;
}

/** Sets something on all links of a member, and takes it away again. */
function onLinks(
  scene: Scene,
  target: Parameters<Scene['cluster']['resolve']>[0],
  set: (from: string, to: string, isOn: boolean) => void,
): Undo {
  const links = linksOf(scene, touches(scene.cluster.resolve(target).number));
  for (const [a, b] of links) set(a, b, true);
  return () => {
    for (const [a, b] of links) set(a, b, false);
  };
}

/** Holds back all links of the targets; lets them go one by one, in another order. */
function clog(scene: Scene, targets: readonly number[]): Undo {
  const { random } = scene;
  const { network, world } = scene.cluster;
  const links = linksOf(scene, (a, b) => targets.includes(a) || targets.includes(b));
  for (const [a, b] of links) network.clog(a, b);
  return () => {
    for (const [a, b] of random.shuffled(links)) {
      if (scene.isOver()) network.unclog(a, b);
      else world.schedule(random.below(500_000), 'unclog', () => network.unclog(a, b));
    }
  };
}

function cutClient({ cluster }: Scene, client: string): Undo {
  const { network, members } = cluster;
  const urls = members.map((member) => member.clientUrl);
  for (const url of urls) {
    network.cut(client, url);
    network.cut(url, client);
  }
  return () => {
    for (const url of urls) {
      network.mend(client, url);
      network.mend(url, client);
    }
  };
}

/** Links between members, by their numbers. */
function linksOf({ cluster }: Scene, isMeant: Between): [string, string][] {
  const { members } = cluster;
  return members.flatMap((from) =>
    members
      .filter((to) => to !== from && isMeant(from.number, to.number))
      .map((to): [string, string] => [from.peerUrl, to.peerUrl]),
  );
}

function groupOf(groups: readonly (readonly number[])[], member: number): number {
  return groups.findIndex((group) => group.includes(member));
}
