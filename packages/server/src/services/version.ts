/** The etcd release whose behaviour and wire this server has. Digits and dots only: clients parse it. */
export const ETCD_VERSION = '3.6.0';

/** The oldest version that a cluster may be at: what is stored has had one form since then. */
export const MIN_CLUSTER_VERSION = '3.5';

/** Major and minor of a version: `3.6` of `3.6.0`. */
export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** A version of major and minor with the patch that etcd prints behind it: `3.6.0`. */
export function withPatch(minor: string): string {
  return `${minor}.0`;
}

/** Negative, zero or positive, as `a` is older than, the same as or newer than `b`; patches do not count. */
export function compareMinors(a: string, b: string): number {
  const [[majorA = 0, minorA = 0], [majorB = 0, minorB = 0]] = [numbersOf(a), numbersOf(b)];
  return majorA - majorB || minorA - minorB;
}

/** The minor version before: `3.5` of `3.6`. */
export function previousMinor(version: string): string {
  const [major = 0, minor = 0] = numbersOf(version);
  return `${major}.${minor - 1}`;
}

function numbersOf(version: string): readonly number[] {
  return version.split('.').map(Number);
}
