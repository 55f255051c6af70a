/**
 * A3: a snapshot that a member gives away restores to the state at its index, and a cluster starts from it that is a new
 * one and has that state (SN1, SN2).
 */
import { concatBytes } from '@etcd-ts/base';
import { openStore, readApplied } from '@etcd-ts/mvcc';
import { type Channel, EtcdError } from '@etcd-ts/protocol';
import { restoreBackup } from '@etcd-ts/server';
import { ROOT_CREDENTIALS } from './auth-switch.ts';
import type { InvariantId } from '../checkers/violation.ts';
import { type BackupContent, keysOf, RestoredClaims } from './restored-claims.ts';
import { type Ending, type Restore, RestoredCluster } from './restored-cluster.ts';
import type { SimCluster } from './sim-cluster.ts';
import type { SimMember } from './sim-member.ts';

/** A member that was paused and then ended never says that it will not answer. */
const SAVE_TIMEOUT_MS = 8_000;
/** By then a member that nothing happens to has done what was asked of it. */
const PATIENCE_MS = 10_000;
/** How far the revisions of a new cluster are moved at most. */
const MAX_BUMP = 1_000;

const ENDINGS: readonly Ending[] = ['stop', 'kill', 'powerLoss'];

/** Saves a member's state as `etcdctl snapshot save` does, restores it, starts it, and holds all that against the ghost. */
export async function checkBackup(
  cluster: SimCluster,
  member: SimMember,
  count: (what: string) => void,
  restore: Restore = restoreBackup,
): Promise<void> {
  const { ghost, world } = cluster;
  const backup = await save(cluster, member);
  if (backup === undefined) return;
  const check: Check = {
    cluster,
    member,
    backup,
    restore,
    add: (invariant, what) =>
      ghost.findings.add(
        invariant,
        `a snapshot of member ${member.number} ${what}`,
        [],
        world.nowUs,
      ),
  };
  try {
    const content = await within(cluster, contentOf(check));
    compareWithGhost(check, content);
    count('backups restored');
    await startFrom(check, content);
    count('clusters started from a backup');
  } catch (error) {
    check.add('SN1', `cannot be restored and started: ${String(error)}`);
  }
}

/** A backup, and who hears what is wrong with what is made of it. */
interface Check {
  readonly cluster: SimCluster;
  readonly member: SimMember;
  readonly backup: Uint8Array;
  readonly restore: Restore;
  readonly add: (invariant: InvariantId, what: string) => void;
}

function machineFor({ cluster: { world, knobs }, member }: Check): RestoredCluster {
  const { number, peerUrl } = member;
  return new RestoredCluster({ world, knobs, number, peerUrl });
}

/** What a database holds after a plain restore. */
async function contentOf(check: Check): Promise<BackupContent> {
  const machine = machineFor(check);
  try {
    await machine.restore(check.backup, {}, check.restore);
    const backend = await machine.openDatabase();
    const { index } = readApplied(backend) ?? { index: 0 };
    const store = await openStore(backend);
    const { revision, compactRevision } = store;
    const random = check.cluster.world.random('backup');
    const before = random.between(Math.max(1, compactRevision), revision);
    const past = { revision: before, kvs: keysOf(store, before) };
    const keysHash = store.stateFingerprint();
    return { index, revision, compactRevision, keysHash, kvs: keysOf(store), past };
  } finally {
    await machine.end('kill');
  }
}

function compareWithGhost({ cluster, add }: Check, content: BackupContent): void {
  const { index, revision, keysHash } = content;
  const known = cluster.ghost.entries[index];
  if (known?.revision === revision && known.keysHash === keysHash) return;
  const was = known === undefined ? 'never seen' : `${known.revision} with ${known.keysHash}`;
  add(
    'SN1',
    `restores to revision ${revision} with ${keysHash}; the state after ${index} was ${was}`,
  );
}

/** Restores once more, with revisions moved or not, and starts the new cluster twice. */
async function startFrom(check: Check, content: BackupContent): Promise<void> {
  const { cluster, member } = check;
  const random = cluster.world.random('backup');
  const bumpRevision = random.chance(0.5) ? random.between(1, MAX_BUMP) : 0;
  const others = cluster.members.filter((each) => each !== member);
  const stranger = others.length > 0 ? random.pick(others) : undefined;
  const claims = new RestoredClaims(cluster, content, bumpRevision, check.add);
  const machine = machineFor(check);
  const steps = async (): Promise<void> => {
    const options = { bumpRevision, markCompacted: bumpRevision > 0 };
    claims.named(await machine.restore(check.backup, options, check.restore));
    await machine.end(random.pick(ENDINGS));
    const node = await machine.start((state) => claims.began(state));
    await claims.serves(node, random);
    if (stranger !== undefined) await claims.isClosedTo(stranger, machine);
    await machine.end(random.pick(ENDINGS));
    await claims.goesOn(await machine.start(() => undefined));
    await machine.end(random.pick(ENDINGS));
  };
  try {
    await within(cluster, steps());
  } finally {
    await machine.end('kill');
  }
}

/** Nothing goes wrong in a restored cluster: what takes longer would never be done. */
function within<T>(cluster: SimCluster, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = cluster.clientProcess('backup').schedule(PATIENCE_MS * 1000, 'patience', () => {
      reject(new Error(`it did not serve within ${PATIENCE_MS} ms`));
    });
    work.then(resolve, reject).finally(() => late.cancel());
  });
}

/** The content with its digest; undefined when the member did not give all of it. As root, where it asks for that. */
async function save(cluster: SimCluster, member: SimMember): Promise<Uint8Array | undefined> {
  const channel = cluster.connect('backup', member);
  try {
    return await saved(channel);
  } catch (error) {
    if (!RIGHTS.has(EtcdError.from(error).code)) return undefined;
  }
  try {
    const method = 'etcdserverpb.Auth/Authenticate';
    const { token } = await channel.unary(method, ROOT_CREDENTIALS, { timeoutMs: SAVE_TIMEOUT_MS });
    return await saved(channel, new Map([['token', token]]));
  } catch {
    return undefined;
  }
}

/** What a member answers whose authentication is on. */
const RIGHTS: ReadonlySet<string> = new Set(['USER_EMPTY', 'PERMISSION_DENIED']);

async function saved(
  channel: Channel,
  metadata?: ReadonlyMap<string, string>,
): Promise<Uint8Array | undefined> {
  const method = 'etcdserverpb.Maintenance/Snapshot';
  const call = channel.stream(method, { timeoutMs: SAVE_TIMEOUT_MS, metadata });
  call.send({});
  call.end();
  const blobs: Uint8Array[] = [];
  for await (const { blob } of call.responses) blobs.push(blob.slice());
  return blobs.length === 0 ? undefined : concatBytes(blobs);
}
