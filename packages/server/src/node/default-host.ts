/** The address of this machine that others most likely reach: the one behind the default route (etcd pkg/netutil, GetDefaultHost). */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

/** Undefined where there is no default route, or nobody tells. */
export function defaultHost(): string | undefined {
  let routes: string;
  try {
    routes = readFileSync('/proc/net/route', 'latin1');
  } catch {
    // Only Linux has this file.
    return undefined;
  }
  const device = defaultDevice(routes);
  const addresses = device === undefined ? [] : (networkInterfaces()[device] ?? []);
  return addresses.find(({ family }) => family === 'IPv4')?.address;
}

/**
 * The device of the default route: of several the one with the least metric.
 *
 * @param routes As in /proc/net/route: device, destination, gateway, flags, two counts, metric, mask.
 */
export function defaultDevice(routes: string): string | undefined {
  const rows = routes.split('\n').map((line) => line.split('\t'));
  return rows
    .filter(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')
    .sort((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0];
}
