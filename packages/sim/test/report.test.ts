import { describe, expect, it } from 'vitest';
import {
  generatePlan,
  renderPage,
  runPlan,
  type Timeline,
  TimelineCollector,
} from '../src/index.ts';

const dataOf = (page: string): Timeline => {
  const text = /<script type="application\/json" id="run">(.*)<\/script>/.exec(page)?.[1];
  return JSON.parse(text!) as Timeline;
};

describe('the page about a run', { timeout: 120_000 }, () => {
  it('holds everything that happened, and nothing from elsewhere', async () => {
    const collector = new TimelineCollector();
    const plan = generatePlan(3, 'crash');
    const result = await runPlan(plan, { watch: collector.watch });
    const timeline = collector.timeline(result);
    const page = renderPage(timeline);
    const data = dataOf(page);
    expect(data.members.map((each) => each.number)).toEqual([1, 2, 3].slice(0, plan.members));
    expect(data.operations.length).toBe(result.operations);
    expect(data.members.some((each) => each.roles.some((role) => role.isLeader))).toBe(true);
    expect(data.members.every((each) => each.lives.length > 0 && each.applied.length > 0)).toBe(
      true,
    );
    expect(data.faults.length).toBe(plan.faults.length);
    expect(page).not.toMatch(/https?:\/\/(?!10\.0\.0\.)/);
  });

  it('changes nothing of the run that it looks at', async () => {
    const plan = generatePlan(4);
    const plain = await runPlan(plan);
    const watched = await runPlan(plan, { watch: new TimelineCollector().watch });
    expect(watched.digest).toBe(plain.digest);
  });

  it('cannot be broken by what clients wrote', () => {
    const nasty = '</script><script>alert(1)</script>';
    const page = renderPage({
      seed: 1,
      profile: 'default',
      safetyMs: 1,
      endMs: 2,
      members: [],
      faults: [],
      operations: [{ client: 1, member: 1, text: nasty, fromMs: 0, toMs: 1, outcome: 'ok' }],
      messages: [],
      hasAllMessages: true,
      violations: [{ invariant: 'K1', message: nasty, atMs: 1 }],
    });
    expect(page).not.toContain('<script>alert');
    expect(dataOf(page).operations[0]?.text).toBe(nasty);
  });
});
