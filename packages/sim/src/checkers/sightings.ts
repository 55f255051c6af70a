/**
 * What anybody was shown of the revision, in the order of time. A member shows what it has applied, and that was committed:
 * so a serializable read, the header of a lease's answer and a watch's event bind what is asked later, too.
 */
import { type Operation, responseRevision } from '../history/operation.ts';
import type { WatchRecord } from '../history/watch-record.ts';

/** Somebody was shown a revision: it was there at that position, and everything before it. */
export interface Sighting {
  readonly at: number;
  readonly revision: number;
  readonly by: Operation | WatchRecord;
}

/** Everything that was shown. */
export class Sightings {
  readonly #byTime: readonly Sighting[];

  constructor(operations: readonly Operation[], watches: readonly WatchRecord[] = []) {
    const sightings: Sighting[] = [];
    for (const by of operations) {
      const { outcome, returnedAt: at } = by;
      if (outcome.kind !== 'ok') continue;
      sightings.push({ at, revision: responseRevision(outcome.response), by });
    }
    for (const by of watches) {
      for (const { at, canceled, headerRevision: revision } of by.responses) {
        if (!canceled) sightings.push({ at, revision, by });
      }
    }
    this.#byTime = sightings.sort((a, b) => a.at - b.at);
  }

  /** Tells the newest that had been seen before a position; to be asked with ascending positions. */
  newestBefore(): (position: number) => Sighting | undefined {
    let passed = 0;
    let newest: Sighting | undefined;
    return (position) => {
      for (; passed < this.#byTime.length; passed++) {
        const sighting = this.#byTime[passed] as Sighting;
        if (sighting.at >= position) break;
        if (newest === undefined || sighting.revision > newest.revision) newest = sighting;
      }
      return newest;
    };
  }
}
