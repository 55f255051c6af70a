/**
 * Brings a log and the database that belongs to it together.
 *
 * What always holds
 * - The database is one that the log covers: its position lies between the log's newest usable mark and its end.
 * - Where there is none, one is made of the first state and the whole log, or of another member's state. Log and vote
 *   stay as they are, so the member breaks no promise: no entry is lost that the log holds behind that state.
 */
import { assert, must } from '@etcd-ts/base';
import type { HardState, SnapshotMeta } from '@etcd-ts/raft';
import { openWal, type RecoveredLog, type Wal, WalError } from '@etcd-ts/wal';
import type { Logger } from '../logger.ts';
import { StartError } from '../start-error.ts';
import {
  type Candidate,
  chooseDatabase,
  type Database,
  removeDatabases,
} from '../state/databases.ts';
import { found, FOUNDING_INDEX } from './founding.ts';
import { logOptions, type RecoveryParts } from './recovery-parts.ts';

/** A log and the database that belongs to it. */
export interface Matched {
  readonly wal: Wal;
  readonly recovered: RecoveredLog;
  readonly chosen: Database;
}

/**
 * Opens the log with the database that belongs to it; where there is none (lost, or too old), makes one of the first
 * members and the whole log, or fetches the state from the other members.
 *
 * @param opened What the caller has to close when this fails.
 */
export async function match(
  parts: RecoveryParts,
  candidates: readonly Candidate[],
  opened: { wal?: Wal; database?: Database },
): Promise<Matched> {
  const furthest = Math.max(0, ...candidates.map(({ applied }) => applied));
  // A mark's content is in a database that has come at least as far.
  const usual = await openLog(parts, ({ index }) => index <= furthest);
  if (usual !== undefined) {
    opened.wal = usual.wal;
    const chosen = choose(candidates, usual);
    if (chosen !== undefined) return { ...usual, chosen };
    await usual.wal.close();
    delete opened.wal;
  }
  const whole = await openLog(parts, ({ index }) => index === FOUNDING_INDEX);
  if (whole !== undefined) {
    opened.wal = whole.wal;
    const chosen = await foundAgain(parts, whole.recovered, candidates);
    if (chosen !== undefined) return { ...whole, chosen: (opened.database = chosen) };
    await whole.wal.close();
    delete opened.wal;
  }
  const rest = must(await openLog(parts, () => true), 'log');
  opened.wal = rest.wal;
  return fetchAgain(parts, rest, candidates, opened);
}

/** Opens the log; undefined when none of its marks is usable and it does not go back to its beginning. */
async function openLog(
  parts: RecoveryParts,
  isUsableSnapshot: (mark: SnapshotMeta) => boolean,
): Promise<Omit<Matched, 'chosen'> | undefined> {
  try {
    const { wal, recovered } = await openWal({ ...logOptions(parts), isUsableSnapshot });
    const content = must(recovered, 'content of the log');
    reportRepair(parts.log, content);
    return { wal, recovered: content };
  } catch (error) {
    if (error instanceof WalError && error.code === 'SNAPSHOT_MISSING') return undefined;
    throw error;
  }
}

/** The database that belongs to the log. */
function choose(
  candidates: readonly Candidate[],
  { recovered, wal }: Omit<Matched, 'chosen'>,
): Candidate | undefined {
  const { lastIndex } = wal.stats();
  const marked = recovered.snapshot?.index ?? 0;
  if (lastIndex === 0) return candidates.find(({ applied }) => applied <= FOUNDING_INDEX);
  const chosen = chooseDatabase(candidates, lastIndex);
  return chosen !== undefined && chosen.applied >= marked ? chosen : undefined;
}

/** The first state made anew, when the options still describe this very cluster. */
async function foundAgain(
  parts: RecoveryParts,
  { metadata, snapshot }: RecoveredLog,
  candidates: readonly Candidate[],
): Promise<Database | undefined> {
  if (snapshot?.index !== FOUNDING_INDEX) return undefined;
  const cluster = await parts.cluster();
  const isSame =
    cluster.kind === 'new' &&
    cluster.clusterId === metadata.clusterId &&
    cluster.local.id === metadata.memberId;
  if (!isSame) return undefined;
  await removeDatabases(parts.backends, candidates);
  const { database } = await found(parts.backends, parts.stateOptions, cluster);
  parts.log.warn('the database was lost: it is made again from the whole log', {
    database: database.name,
  });
  return database;
}

/** The state as another member has it now, which is at least as new as the log's newest mark. */
async function fetchAgain(
  parts: RecoveryParts,
  { wal, recovered }: Omit<Matched, 'chosen'>,
  candidates: readonly Candidate[],
  opened: { database?: Database },
): Promise<Matched> {
  const { metadata, snapshot, entries } = recovered;
  const marked = snapshot?.index ?? 0;
  const there = candidates.map(({ name, applied }) => `${name} at ${applied}`).join(', ');
  const { lastIndex } = wal.stats();
  const lost = `the log holds entries ${marked + 1} to ${lastIndex}, and no database goes with it (${there || 'there is none'})`;
  parts.log.warn('the database was lost: its state is fetched from the other members', {
    reason: lost,
  });
  // What is fetched may have the name of one of them.
  for (const { backend } of candidates) await backend.close();
  const fetched = await parts.fetchState({ ...metadata, minIndex: marked }).catch((cause) => {
    const advice = 'restore the database, or remove the member and add it again';
    throw new StartError('STATE_LOST', `${lost}: ${advice}`, { cause });
  });
  opened.database = fetched.database;
  const { meta } = fetched;
  const hardState = covering(recovered.hardState, meta);
  // Where the log holds this entry, or its newest mark is of it, it goes on; otherwise it begins anew behind the state.
  const held = snapshot === undefined ? entries : [snapshot, ...entries];
  const goesOn = held.some(({ index, term }) => index === meta.index && term === meta.term);
  await wal.append({ snapshot: meta, entries: [], hardState }, { sync: true });
  const kept = goesOn ? entries.filter(({ index }) => index > meta.index) : [];
  const endsAt = kept.at(-1)?.index ?? meta.index;
  const { lastIndex: holds } = wal.stats();
  assert(endsAt === holds, () => `the log holds entries to ${holds}, and goes on from ${endsAt}`);
  return {
    wal,
    chosen: fetched.database,
    recovered: { metadata, snapshot: meta, hardState, entries: kept },
  };
}

/** Term and commit are at least those of the state; a vote counts in its own term alone. */
function covering(hardState: HardState, { index, term }: SnapshotMeta): HardState {
  const commit = Math.max(hardState.commit, index);
  return term > hardState.term ? { term, vote: 0n, commit } : { ...hardState, commit };
}

function reportRepair(log: Logger, { repaired }: RecoveredLog): void {
  if (repaired === undefined) return;
  log.warn('repaired the end of the log: an unfinished write was cut off', {
    file: repaired.file,
    offset: repaired.offsetBytes,
    'dropped-bytes': repaired.droppedBytes,
    reason: repaired.reason,
  });
}
