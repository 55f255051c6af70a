/** Faults of clocks (C1 to C5). */
import type { ClockFault } from '../plan/planned-fault.ts';
import { NOTHING, type Scene, type Undo } from './scene.ts';

/** Between two jumps of a strobing clock. */
const STROBE_US = 30_000;

/** Lets a fault of a clock begin. */
export function beginClockFault({ cluster, isOver }: Scene, fault: ClockFault): Undo {
  const { world } = cluster;
  const { clock } = cluster.resolve(fault.target);
  switch (fault.kind) {
    case 'drift':
      clock.setDrift(world.nowUs, fault.ppm);
      return () => clock.setDrift(world.nowUs, 0);
    case 'wallStep':
      clock.stepWall(fault.stepMs);
      return NOTHING;
    case 'strobe': {
      let isOn = true;
      let isAhead = false;
      const jump = (): void => {
        if (!isAhead && (!isOn || isOver())) return;
        clock.stepWall(isAhead ? -fault.stepMs : fault.stepMs);
        isAhead = !isAhead;
        world.schedule(STROBE_US, 'strobe', jump);
      };
      jump();
      return () => {
        isOn = false;
      };
    }
    case 'freezeClock':
      clock.freeze(world.nowUs);
      return () => clock.thaw(world.nowUs);
    case 'lateTimers':
      clock.timerLatenessMeanUs = fault.meanMs * 1000;
      return () => {
        clock.timerLatenessMeanUs = 0;
      };
  }
}
