/**
 * etcd's v3 discovery: the first members of a cluster find one another in another cluster, the registry. Keys and values
 * are etcd's, so that members of both kinds can meet there (server/etcdserver/api/v3discovery):
 * `/_etcd/registry/TOKEN/_config/size` holds the number of members, `…/members/ID` holds `name=url,name=url`.
 */
import { type MemberId, idToHex } from '@etcd-ts/base';
import type { EtcdClient } from '@etcd-ts/client';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { StartError } from '../start-error.ts';
import { formatInitialCluster, parseInitialCluster } from './initial-cluster.ts';
import { computeMemberId } from './member-id.ts';

/** Pause before the second attempt, in milliseconds; doubled with each, up to {@link MAX_RETRY_MS}. */
export const MIN_RETRY_MS = 2_000;
/** Longest pause between two attempts, in milliseconds. etcd: 2^8 s. */
export const MAX_RETRY_MS = 256_000;

/** What is needed to meet. */
export interface RegistryParts {
  /** Of the registry. */
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The member that wants to belong. */
export interface Registrant {
  /** etcd --discovery-token; goes into all ids too. */
  readonly token: string;
  readonly name: string;
  readonly advertisePeerUrls: readonly string[];
}

interface Found {
  readonly size: number;
  /** Value by key, in the order of their registration. */
  readonly members: ReadonlyMap<string, string>;
  readonly revision: number;
}

/**
 * Registers the member and waits until as many are there as the registry says.
 *
 * @returns Peer URLs by name, of the first to have registered.
 * @throws StartError DISCOVERY_FAILED in etcd's words: no size, a bad size, or the cluster is full.
 */
export async function meetInRegistry(
  parts: RegistryParts,
  registrant: Registrant,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { name, token, advertisePeerUrls } = registrant;
  const own = `${prefixOf(token)}/members/${idToHex(ownId(registrant))}`;
  await retrying(parts, 'cluster status check', () => look(parts, token, own));
  const value = formatInitialCluster(new Map([[name, advertisePeerUrls]]));
  await retrying(parts, 'register member itself', () => parts.client.put(own, value));
  parts.log.info('register member itself successfully', { memberKey: own, memberInfo: value });
  const found = await retrying(parts, 'cluster status check', () => look(parts, token, own));
  const members = await waitForPeers(parts, token, found);
  const first = [...members.values()].slice(0, found.size);
  const text = first.join(',');
  parts.log.info('discovery joined cluster successfully', { cluster: text });
  try {
    return parseInitialCluster(text);
  } catch (cause) {
    throw new StartError('DISCOVERY_FAILED', 'discovery: invalid peer URL', { cause });
  }
}

function ownId({ token, advertisePeerUrls }: Registrant): MemberId {
  return computeMemberId([...advertisePeerUrls].sort(), token);
}

function prefixOf(token: string): string {
  return `/_etcd/registry/${token}`;
}

/** Size and members; refuses when the member is not among the first and all places are taken. */
async function look({ client }: RegistryParts, token: string, own: string): Promise<Found> {
  const size = sizeOf((await client.get(`${prefixOf(token)}/_config/size`))?.text);
  const { entries, revision } = await client.getAll({ prefix: `${prefixOf(token)}/members` });
  const ordered = [...entries].sort((a, b) => a.createRevision - b.createRevision);
  const members = new Map<string, string>();
  for (const { keyText, text } of ordered) add(members, keyText, text);
  const place = [...members.keys()].indexOf(own);
  if (place >= size || (place < 0 && members.size >= size)) {
    throw new StartError('DISCOVERY_FAILED', 'discovery: cluster is full');
  }
  return { size, members, revision };
}

function sizeOf(text: string | undefined): number {
  if (text === undefined) {
    throw new StartError('DISCOVERY_FAILED', 'discovery: size key not found');
  }
  const size = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (size < 1) throw new StartError('DISCOVERY_FAILED', 'discovery: size key is bad');
  return size;
}

/** What is no member's entry is passed over, and so is a second one of the same key. */
function add(members: Map<string, string>, key: string, value: string): void {
  if (value.includes('=') && !members.has(key.trim())) members.set(key.trim(), value.trim());
}

async function waitForPeers(
  { client, log }: RegistryParts,
  token: string,
  { size, members: found, revision }: Found,
): Promise<ReadonlyMap<string, string>> {
  const members = new Map(found);
  if (members.size >= size) return members;
  log.info('waiting for peers from discovery service', {
    clusterSize: size,
    'found-peers': members.size,
  });
  const prefix = `${prefixOf(token)}/members`;
  for await (const { type, entry } of client.watch({ prefix }, { startRevision: revision + 1 })) {
    if (type === 'put') add(members, entry.keyText, entry.text);
    if (members.size >= size) break;
  }
  return members;
}

/** Tries again while the registry cannot be reached; what it says counts at once. */
async function retrying<Result>(
  { clock, log }: RegistryParts,
  step: string,
  attempt: () => Promise<Result>,
): Promise<Result> {
  for (let pauseMs = MIN_RETRY_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_RETRY_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof StartError) throw error;
      log.warn('retry connecting to discovery service', {
        reason: step,
        backoff: `${pauseMs / 1_000}s`,
        error,
      });
      await new Promise<void>((resolve) => {
        clock.after(pauseMs, resolve);
      });
    }
  }
}
