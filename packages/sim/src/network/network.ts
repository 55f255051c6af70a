/**
 * The network between the processes of a simulation, by address.
 *
 * Two modes. In `stream` mode a link behaves as TCP connections do: what arrives does so in order on its lane, a cut link
 * or a dead process takes what was on its way along. In `datagram` mode messages may also come twice, out of order, or
 * long after they were sent, even to a process that was started since: nothing that a consensus protocol may rely on.
 *
 * What always holds
 * - Every ordered pair of addresses draws from a stream of its own.
 * - What is sent on one lane of one link in stream mode arrives in order or not at all.
 * - Nothing arrives at a dead process; what arrives at a paused one waits for it.
 */
import { assert } from '@etcd-ts/base';
import type { SimProcess } from '../world/process.ts';
import type { RandomStream } from '../world/random.ts';
import type { World } from '../world/world.ts';

/** How links behave when no fault is on. Times in microseconds, chances of 1. */
export interface NetworkWeather {
  readonly mode: 'stream' | 'datagram';
  readonly minDelayUs: number;
  /** Mean of the exponential part of the delay, on top of the least. */
  readonly meanExtraDelayUs: number;
  readonly lossChance: number;
  /** Datagram mode: a message comes twice. */
  readonly duplicateChance: number;
  /** Datagram mode: a message comes again up to {@link MAX_REPLAY_DELAY_US} later. */
  readonly replayChance: number;
  readonly bytesPerSecond: number;
}

/** A quiet local network. */
export const CALM_WEATHER: NetworkWeather = {
  mode: 'stream',
  minDelayUs: 200,
  meanExtraDelayUs: 300,
  lossChance: 0,
  duplicateChance: 0,
  replayChance: 0,
  bytesPerSecond: 100_000_000,
};

/** Latest return of a replayed message. */
export const MAX_REPLAY_DELAY_US = 20_000_000;

/** Share of the messages that take much longer on a link with a tail. */
const TAIL_CHANCE = 0.05;

/** Delay of a message that finds its link clogged, before it looks again. */
const CLOG_RECHECK_US = 10_000;

/**
 * Why a parcel did not arrive: nobody listened when it was sent, so that it certainly had no effect, or the connection
 * broke while it was on its way.
 */
export type LossReason = 'refused' | 'broken';

/**
 * What several parcels are parts of: once one of them is lost, nothing of the rest arrives, or the receiver would see
 * a gap.
 */
export interface ParcelStream {
  isBroken: boolean;
}

/** One message for the network. */
export interface Parcel {
  readonly from: string;
  readonly to: string;
  /** Messages of one lane keep their order; lanes do not wait for one another. Without lane: no order. */
  readonly lane?: string | undefined;
  readonly stream?: ParcelStream | undefined;
  readonly sizeBytes: number;
  /** In datagram mode it may come twice, out of order and late. */
  readonly isDatagram?: boolean | undefined;
  /** Hands it over, in the receiving process. */
  deliver(): void;
  /** Called in the sender's process when the parcel is lost. */
  onLost?(reason: LossReason): void;
}

/** A place on the network, and who is found there. */
interface Endpoint {
  readonly address: string;
  process: SimProcess | undefined;
}

interface Link {
  readonly sender: Endpoint;
  readonly receiver: Endpoint;
  readonly random: RandomStream;
  /** How many faults cut it; 0: open. */
  cuts: number;
  clogs: number;
  slowdownUs: number;
  /** Mean of what {@link TAIL_CHANCE} of the messages take longer. */
  tailMeanUs: number;
  lossChance: number;
  /** Since when it has been open. */
  openSinceUs: number;
  /** Earliest arrival of the next message of each lane. */
  readonly laneFreeUs: Map<string, number>;
}

/** Carries parcels between processes, as well or badly as it is told. */
export class Network {
  readonly #world: World;
  /** By sender, then by receiver. */
  readonly #links = new Map<string, Map<string, Link>>();
  readonly #endpoints = new Map<string, Endpoint>();
  /** Widths of links, of which the narrowest counts, in bytes a second. */
  #narrowings: readonly { readonly bytesPerSecond: number }[] = [];
  #narrowestBytesPerSecond = Infinity;
  weather: NetworkWeather;
  /** Parcels carried, lost and come twice, for coverage. */
  readonly counts: { delivered: number; lost: number; repeated: number } = {
    delivered: 0,
    lost: 0,
    repeated: 0,
  };

  constructor(world: World, weather: NetworkWeather = CALM_WEATHER) {
    this.#world = world;
    this.weather = weather;
  }

  /** From now on this process is found at the address; an earlier one there is not any more. */
  attach(address: string, process: SimProcess): void {
    assert(process.isAlive, () => `${process.name} has ended, and takes the address ${address}`);
    this.#endpoint(address).process = process;
  }

  /**
   * The same address, as the very string under which it is known here: looking it up then compares no characters. Those
   * that members read out of their databases are copies.
   */
  canonical(address: string): string {
    for (const known of this.#endpoints.keys()) if (known === address) return known;
    return address;
  }

  /** The living process at an address. */
  processAt(address: string): SimProcess | undefined {
    return livingAt(this.#endpoints.get(address));
  }

  /** True when nothing cuts the link in this direction. */
  isOpen(from: string, to: string): boolean {
    return this.#link(from, to).cuts === 0;
  }

  /** Since when the link has been open; undefined while it is cut. */
  openSinceUs(from: string, to: string): number | undefined {
    const link = this.#link(from, to);
    return link.cuts === 0 ? link.openSinceUs : undefined;
  }

  /** Cuts one direction. Cuts add up: each is undone by one {@link mend}. */
  cut(from: string, to: string): void {
    this.#link(from, to).cuts++;
  }

  mend(from: string, to: string): void {
    const link = this.#link(from, to);
    link.cuts = Math.max(0, link.cuts - 1);
    if (link.cuts === 0) link.openSinceUs = this.#world.nowUs;
  }

  /** Holds back everything on a link, without losing it, until {@link unclog}. */
  clog(from: string, to: string): void {
    this.#link(from, to).clogs++;
  }

  unclog(from: string, to: string): void {
    const link = this.#link(from, to);
    link.clogs = Math.max(0, link.clogs - 1);
  }

  /** Adds to the delay of a link; 0 undoes it. */
  slow(from: string, to: string, extraUs: number): void {
    this.#link(from, to).slowdownUs = extraUs;
  }

  /** Lets some messages of a link take much longer; 0 undoes it. */
  lengthenTail(from: string, to: string, meanUs: number): void {
    this.#link(from, to).tailMeanUs = meanUs;
  }

  /** Adds to the loss of a link; 0 undoes it. */
  drop(from: string, to: string, chance: number): void {
    this.#link(from, to).lossChance = chance;
  }

  /** Makes every link as narrow as that, until what it gives is called. Of several the narrowest counts. */
  narrow(bytesPerSecond: number): () => void {
    const narrowing = { bytesPerSecond };
    this.#setNarrowings([...this.#narrowings, narrowing]);
    return () => this.#setNarrowings(this.#narrowings.filter((each) => each !== narrowing));
  }

  #setNarrowings(narrowings: readonly { readonly bytesPerSecond: number }[]): void {
    this.#narrowings = narrowings;
    const widths = narrowings.map(({ bytesPerSecond }) => bytesPerSecond);
    this.#narrowestBytesPerSecond = Math.min(Infinity, ...widths);
  }

  /** Undoes every fault of every link. */
  heal(): void {
    this.#setNarrowings([]);
    for (const links of this.#links.values()) {
      for (const link of links.values()) {
        if (link.cuts > 0) link.openSinceUs = this.#world.nowUs;
        link.cuts = 0;
        link.clogs = 0;
        link.slowdownUs = 0;
        link.tailMeanUs = 0;
        link.lossChance = 0;
      }
    }
  }

  /** Takes a parcel on its way. */
  send(parcel: Parcel): void {
    const link = this.#link(parcel.from, parcel.to);
    const receiver = livingAt(link.receiver);
    const isLost = link.random.chance(this.weather.lossChance + link.lossChance);
    if (link.cuts > 0 || receiver === undefined || isLost) {
      const isRefused = receiver === undefined && link.cuts === 0;
      this.#lose(parcel, link, isRefused ? 'refused' : 'broken');
      return;
    }
    this.#carry(parcel, link, receiver, this.#arrivalDelayUs(parcel, link));
    if (this.#isDatagram(parcel)) this.#repeat(parcel, link, receiver);
  }

  #isDatagram(parcel: Parcel): boolean {
    return this.weather.mode === 'datagram' && parcel.isDatagram === true;
  }

  #carry(parcel: Parcel, link: Link, receiver: SimProcess, delayUs: number): void {
    this.#world.schedule(delayUs, 'arrive', () => {
      if (link.clogs > 0) {
        this.#carry(parcel, link, receiver, CLOG_RECHECK_US);
        return;
      }
      const present = livingAt(link.receiver);
      // A connection ends with its process; only a datagram finds the next one at the address.
      const isReached =
        present !== undefined &&
        link.cuts === 0 &&
        parcel.stream?.isBroken !== true &&
        (present === receiver || this.#isDatagram(parcel));
      if (!isReached) {
        this.#lose(parcel, link, 'broken');
        return;
      }
      this.counts.delivered++;
      if (present.isPaused) present.run('deliver', () => parcel.deliver());
      else parcel.deliver();
    });
  }

  #repeat(parcel: Parcel, link: Link, receiver: SimProcess): void {
    const { duplicateChance, replayChance } = this.weather;
    if (link.random.chance(duplicateChance)) {
      this.counts.repeated++;
      this.#carry(parcel, link, receiver, this.#arrivalDelayUs(parcel, link));
    }
    if (link.random.chance(replayChance)) {
      this.counts.repeated++;
      this.#carry(parcel, link, receiver, link.random.below(MAX_REPLAY_DELAY_US));
    }
  }

  #arrivalDelayUs(parcel: Parcel, link: Link): number {
    const { minDelayUs, meanExtraDelayUs, bytesPerSecond } = this.weather;
    const widthBytesPerSecond = Math.min(bytesPerSecond, this.#narrowestBytesPerSecond);
    const transferUs = Math.floor((parcel.sizeBytes * 1_000_000) / widthBytesPerSecond);
    const isLong = link.tailMeanUs > 0 && link.random.chance(TAIL_CHANCE);
    const delayUs =
      minDelayUs +
      link.random.exponential(meanExtraDelayUs) +
      link.slowdownUs +
      (isLong ? link.random.exponential(link.tailMeanUs) : 0) +
      transferUs;
    if (parcel.lane === undefined || this.#isDatagram(parcel)) return delayUs;
    const nowUs = this.#world.nowUs;
    const freeUs = link.laneFreeUs.get(parcel.lane) ?? 0;
    const arrivalUs = Math.max(nowUs + delayUs, freeUs + 1);
    link.laneFreeUs.set(parcel.lane, arrivalUs);
    return arrivalUs - nowUs;
  }

  #lose(parcel: Parcel, link: Link, reason: LossReason): void {
    this.counts.lost++;
    const { stream } = parcel;
    if (stream !== undefined) stream.isBroken = true;
    if (parcel.onLost === undefined) return;
    const sender = livingAt(link.sender);
    const delayUs =
      this.weather.minDelayUs + link.random.exponential(this.weather.meanExtraDelayUs);
    sender?.schedule(delayUs, 'lost', () => parcel.onLost?.(reason));
  }

  #link(from: string, to: string): Link {
    return this.#links.get(from)?.get(to) ?? this.#newLink(from, to);
  }

  #newLink(from: string, to: string): Link {
    const link: Link = {
      sender: this.#endpoint(from),
      receiver: this.#endpoint(to),
      random: this.#world.random(`network/${from}>${to}`),
      cuts: 0,
      clogs: 0,
      slowdownUs: 0,
      tailMeanUs: 0,
      lossChance: 0,
      openSinceUs: 0,
      laneFreeUs: new Map(),
    };
    const links = this.#links.get(from) ?? new Map<string, Link>();
    this.#links.set(from, links.set(to, link));
    return link;
  }

  #endpoint(address: string): Endpoint {
    let endpoint = this.#endpoints.get(address);
    if (endpoint === undefined) {
      endpoint = { address, process: undefined };
      this.#endpoints.set(address, endpoint);
    }
    return endpoint;
  }
}

function livingAt(endpoint: Endpoint | undefined): SimProcess | undefined {
  const process = endpoint?.process;
  return process?.isAlive === true ? process : undefined;
}
