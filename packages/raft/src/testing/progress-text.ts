import type { PeerProgress } from '../status.ts';

const STATE_NAMES: Readonly<Record<PeerProgress['state'], string>> = {
  probe: 'StateProbe',
  replicate: 'StateReplicate',
  snapshot: 'StateSnapshot',
};

/** A peer's progress as etcd prints it. */
export function describeProgress(progress: PeerProgress): string {
  let text = `${STATE_NAMES[progress.state]} match=${progress.match} next=${progress.next}`;
  if (progress.isLearner) text += ' learner';
  if (progress.isPaused) text += ' paused';
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.recentActive) text += ' inactive';
  if (progress.inflightMessages > 0) {
    text += ` inflight=${progress.inflightMessages}${progress.isInflightFull ? '[full]' : ''}`;
  }
  return text;
}
