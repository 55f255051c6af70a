/**
 * Everything outside a node that it depends on. The real one is `node/system-env.ts`; the simulator brings its own,
 * and the same node then runs on virtual time, disks and networks.
 *
 * What always holds: a node reads time, draws randomness, and reaches disk and network through its Env alone.
 */
import type { Backend } from '@etcd-ts/mvcc';
import type { Disk } from '@etcd-ts/wal';
import type { Handlers } from '@etcd-ts/protocol';
import type { EtcdClient } from '@etcd-ts/client';
import type { PasswordHasher } from './auth/password-hasher.ts';
import type { JwtSettings } from './auth/token-option.ts';
import type { SignedTokens } from './auth/token-provider.ts';
import type { NameResolver } from './bootstrap/srv.ts';
import type { Clock, Random } from './clock.ts';
import type { Registry } from './options/discovery-options.ts';
import type { Logger } from './logger.ts';
import type { PeerTraffic } from './metrics/peer-traffic.ts';
import type { NodePort } from './node-port.ts';
import type { PeerTransport } from './peers/peer-transport.ts';
import type { Sha256Digest } from './services/sha256.ts';
import type { ResolvedOptions } from './options.ts';
import type { CallTracer } from './tracing/call-tracer.ts';

/** A database whose content cannot be read: it counts as lost, and the state is made again from log or peers. */
export class DamagedDatabaseError extends Error {
  override readonly name = 'DamagedDatabaseError';

  constructor(name: string, options: ErrorOptions) {
    super(`the database ${name} is damaged`, options);
  }
}

/** The databases of one node. A name is a plain file name; the node chooses it. */
export interface BackendStore {
  /** Names of the databases that are there, whole or not. */
  list(): Promise<readonly string[]>;
  /**
   * Opens a database, and makes it when it is not there.
   *
   * @throws DamagedDatabaseError when what is there cannot be read. Any other failure says nothing of the content.
   */
  open(name: string): Promise<Backend>;
  /** Removes a closed database, whole or damaged: at once, or not at all. Harmless when it is not there. */
  remove(name: string): Promise<void>;
  /** Bytes that an open database takes on the disk; absent: nobody knows. */
  readonly diskBytes?: (name: string) => Promise<number>;
}

/** A door through which clients come in. */
export interface ClientListener {
  /** Where it listens, as URLs with the real ports. */
  readonly urls: readonly string[];
  /** Where it answers monitors besides; the same form. */
  readonly metricsUrls?: readonly string[];
  /** Takes no new connections, lets running calls end within the grace time, then closes. */
  close(graceMs: number): Promise<void>;
}

/** What a listener serves. */
export interface Served {
  readonly handlers: Handlers;
  readonly node: NodePort;
}

/** A node's surroundings. */
export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Of the WAL and of snapshot files. */
  readonly disk: Disk;
  readonly backends: BackendStore;
  /**
   * Looks at what can be looked at before anything is changed: certificates that are there and fit, addresses that are
   * free.
   *
   * @throws StartError BAD_OPTION, LISTEN_FAILED.
   */
  readonly prepare?: () => Promise<void>;
  /** Makes the transport to the peers; called once per start. What passes on its wires is counted in `traffic`. */
  readonly peers: (options: ResolvedOptions, traffic: PeerTraffic) => PeerTransport;
  /** Opens the doors for clients; called once per start, when the node is ready to serve. */
  readonly listen: (options: ResolvedOptions, served: Served) => Promise<ClientListener>;
  /**
   * Data may be gone although nobody has said so: a member that founds a cluster first asks the others whether it was
   * there before. @defaultValue false
   */
  readonly canLoseData?: boolean;
  /** Version of the program, when it is to pass for another one. @defaultValue ETCD_VERSION */
  readonly serverVersion?: string;
  /** Begins a SHA-256 of a snapshot. @defaultValue one of our own, which is slow */
  readonly newSha256?: () => Sha256Digest;
  /** Hashes passwords; without it users with a password can be neither added nor logged in. */
  readonly hasher?: PasswordHasher;
  /**
   * Reads the keys of signed tokens where the options ask for such; called once per start.
   *
   * @throws StartError BAD_OPTION: a key that is missing, cannot be read, or does not fit.
   */
  readonly openTokens?: (settings: JwtSettings) => Promise<SignedTokens>;
  /** DNS; without it members cannot be found by SRV records. */
  readonly names?: NameResolver;
  /** A client of a discovery's registry; without it members cannot meet in one. */
  readonly connectRegistry?: (registry: Registry) => Promise<EtcdClient>;
  /**
   * Makes what traces the calls, where the options ask for that; called once per start, and ended by `close`.
   *
   * @throws StartError BAD_OPTION: an address that is none.
   */
  readonly openTracer?: (options: ResolvedOptions) => Promise<CallTracer>;
  /** Frees what the surroundings hold for the node: after stop and kill alike. */
  readonly close?: () => Promise<void>;
}
