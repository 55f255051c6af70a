/** Whether URLs that are written differently lead to the same places, by name and by address. */
import { addressesOf, type NameResolver } from './srv.ts';

/**
 * Whether each URL of one list leads to the place of one of the other (etcd pkg/netutil, URLStringsEqual). `localhost`
 * is nobody but itself.
 */
export async function leadToSame(
  resolver: NameResolver | undefined,
  one: readonly string[],
  other: readonly string[],
): Promise<boolean> {
  if (one.length !== other.length) return false;
  const [places, otherPlaces] = await Promise.all([
    placesOf(resolver, one),
    placesOf(resolver, other),
  ]);
  return haveAll(places, otherPlaces) && haveAll(otherPlaces, places);
}

type Places = readonly (readonly string[])[];

function haveAll(one: Places, other: Places): boolean {
  return one.every((places) =>
    other.some((others) => places.some((place) => others.includes(place))),
  );
}

/** The URL itself, and the same with each address of its host. */
function placesOf(resolver: NameResolver | undefined, urls: readonly string[]): Promise<Places> {
  return Promise.all(
    urls.map(async (url) => {
      const { hostname, protocol } = new URL(url);
      const isNamed = /^https?:$/.test(protocol) && hostname !== 'localhost';
      if (!isNamed || resolver === undefined) return [url];
      const addresses = await addressesOf(resolver, [url]);
      return [url, ...addresses.map((address) => `${protocol}//${address}`)];
    }),
  );
}
