/**
 * `npm run sim:report-test [-- --shots=FOLDER]`: opens a page about a run in a real browser and uses it as a person would:
 * looks, zooms, moves, points, presses keys, by day and by night. Needs Chromium (`apt-get install chromium`, or its path
 * in CHROMIUM); without it the command says so and fails.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium, type Page } from 'playwright-core';
import { generatePlan, renderPage, runPlan, TimelineCollector } from '../src/index.ts';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const { values } = parseArgs({ options: { shots: { type: 'string' } } });

/** A run with faults, and violations marked in it, one at its end: none is to be had from the code as it is. */
async function makePage(folder: string): Promise<string> {
  const collector = new TimelineCollector();
  const result = await runPlan(generatePlan(2, 'network'), { watch: collector.watch });
  const timeline = collector.timeline(result);
  const message =
    'range #7 of client 2 stands at revision 12, but put #5 had returned at 13 <planted>';
  const violations = [
    { invariant: 'K1', message, atMs: timeline.safetyMs / 2 },
    { invariant: 'R5', message, atMs: timeline.endMs },
  ];
  const file = join(folder, 'run.html');
  writeFileSync(file, renderPage({ ...timeline, violations }));
  return file;
}

const viewOf = async (page: Page): Promise<readonly [number, number]> => {
  const text = (await page.getAttribute('html', 'data-view')) ?? '';
  const [from = NaN, to = NaN] = text.split(' ').map(Number);
  return [from, to];
};

/** How many colours are on the canvas, or where the name of what happened at the end is to be. */
const coloursOf = (page: Page, where: 'anywhere' | 'at the end' = 'anywhere'): Promise<number> =>
  page.evaluate((place) => {
    const canvas = document.getElementById('lanes') as HTMLCanvasElement;
    const pixels = canvas.width / canvas.getBoundingClientRect().width;
    const area = [canvas.width - 36 * pixels, 16 * pixels, 20 * pixels, 12 * pixels] as const;
    const all = [0, 0, canvas.width, canvas.height] as const;
    const image = canvas.getContext('2d')?.getImageData(...(place === 'at the end' ? area : all));
    const data = image?.data ?? [];
    const colours = new Set<number>();
    for (let i = 0; i < data.length; i += 4) {
      colours.add(((data[i] ?? 0) << 16) | ((data[i + 1] ?? 0) << 8) | (data[i + 2] ?? 0));
    }
    return colours.size;
  }, where);

/** Finds a place on the canvas that tells something that matches, and points at it. */
async function hover(page: Page, wanted: RegExp): Promise<string> {
  const place = await page.evaluate((source) => {
    const [canvas, tip] = ['lanes', 'tip'].map((id) => document.getElementById(id));
    if (canvas === null || canvas === undefined || tip === null || tip === undefined)
      return undefined;
    const told = new RegExp(source);
    const box = canvas.getBoundingClientRect();
    for (let y = box.top + 12; y < box.bottom; y += 6) {
      for (let x = box.left + 96; x < box.right - 12; x += 5) {
        canvas.dispatchEvent(new PointerEvent('pointermove', { clientX: x, clientY: y }));
        if (!tip.hidden && told.test(tip.textContent ?? '')) return { x, y };
      }
    }
    return undefined;
  }, wanted.source);
  assert.ok(place !== undefined, `nothing on the page tells of ${String(wanted)}`);
  await page.mouse.move(place.x, place.y);
  assert.ok(await page.locator('#tip').isVisible());
  const text = (await page.locator('#tip').textContent()) ?? '';
  assert.match(text, wanted);
  return text;
}

async function usePage(page: Page, shot: (name: string) => Promise<void>): Promise<void> {
  await page.waitForSelector('html[data-ready=yes]');
  const whole = await viewOf(page);
  assert.equal(whole[0], 0);
  assert.ok((await coloursOf(page)) > 8, 'the lanes are drawn');
  assert.ok((await coloursOf(page, 'at the end')) > 3, 'what happened at the end has its name');
  assert.match((await page.textContent('.verdict')) ?? '', /K1 .*<planted>/);
  await shot('whole');

  assert.match(await hover(page, /^member \d: leader, term \d/), /term/);
  await hover(page, /partition|isolate|oneWay|staleLeader|slow|lossy|clog|tail|ring|bridge/);
  await hover(page, /client \d+ at member \d/);

  await page.keyboard.press('v');
  const marked = await viewOf(page);
  assert.ok(marked[1] - marked[0] < whole[1] - whole[0], 'v goes to the violation');
  await hover(page, /^K1: /);
  await shot('violation');

  await page.keyboard.press('+');
  await page.keyboard.press('+');
  const near = await viewOf(page);
  assert.ok(near[1] - near[0] < marked[1] - marked[0], '+ zooms in');
  assert.match(await hover(page, /^(append|heartbeat|vote)\w* \d → \d/), /arrived|never/);
  await shot('messages');
  await page.keyboard.press('ArrowRight');
  assert.ok((await viewOf(page))[0] > near[0], 'an arrow moves');
  await page.keyboard.press('l');
  await shot('leader');
  await page.keyboard.press('0');
  assert.deepEqual(await viewOf(page), whole, '0 shows the whole run');

  const box = await page.locator('#lanes').boundingBox();
  assert.ok(box !== null, 'the lanes are on the page');
  await page.mouse.move(box.x + box.width / 2, box.y + 60);
  await page.mouse.wheel(0, -400);
  const [from, to] = await viewOf(page);
  assert.ok(to - from < whole[1] - whole[0], 'the wheel zooms');
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 - 120, box.y + 60, { steps: 4 });
  await page.mouse.up();
  assert.ok((await viewOf(page))[0] > from, 'dragging moves');
  await page.setViewportSize({ width: 700, height: 700 });
  assert.ok((await coloursOf(page)) > 8, 'a narrow window is drawn as well');
}

async function main(): Promise<number> {
  const executablePath = process.env['CHROMIUM'] ?? PLACES.find((path) => existsSync(path));
  if (executablePath === undefined) {
    console.error(`no browser: none of ${PLACES.join(', ')} is there, and CHROMIUM is not set`);
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-report-'));
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const file = await makePage(folder);
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await browser.newPage({ colorScheme, viewport: { width: 1400, height: 900 } });
      const complaints: string[] = [];
      page.on('console', (entry) => {
        if (entry.type() === 'error') complaints.push(entry.text());
      });
      page.on('pageerror', (error) => void complaints.push(error.message));
      page.on('request', (request) => {
        if (!request.url().startsWith('file:')) complaints.push(`asked for ${request.url()}`);
      });
      await page.goto(pathToFileURL(file).href);
      await usePage(page, async (name) => {
        if (values.shots === undefined) return;
        mkdirSync(values.shots, { recursive: true });
        await page.screenshot({ path: join(values.shots, `${name}-${colorScheme}.png`) });
      });
      assert.deepEqual(complaints, []);
      await page.close();
      console.log(`the page works by ${colorScheme === 'light' ? 'day' : 'night'}`);
    }
    return 0;
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
