/** The page about a run: one self-contained HTML file. */
import { PAGE_SCRIPT } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';
import type { Timeline } from './timeline.ts';

/** Renders the page. Nothing in it is fetched from elsewhere. */
export function renderPage(timeline: Timeline): string {
  const [first] = timeline.violations;
  const title = `seed ${timeline.seed}, ${timeline.profile}`;
  const verdict =
    first === undefined
      ? '<p class="verdict good">every invariant held</p>'
      : `<p class="verdict bad"><b>${escape(first.invariant)}</b> ${escape(first.message)}</p>`;
  const more = timeline.violations
    .slice(1, 6)
    .map((each) => `<li><b>${escape(each.invariant)}</b> ${escape(each.message)}</li>`)
    .join('');
  const counts =
    `${timeline.members.length} members, ${timeline.operations.length} operations, ` +
    `${timeline.faults.length} faults, ${(timeline.endMs / 1000).toFixed(1)} s` +
    (timeline.hasAllMessages ? '' : `; the first ${timeline.messages.length} messages only`);
  // `<` must not end the script early.
  const data = JSON.stringify(timeline).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>${escape(title)}</h1>
<p>${escape(counts)}</p>
${verdict}
${more === '' ? '' : `<ul>${more}</ul>`}
<p class="keys"><kbd>←</kbd> <kbd>→</kbd> move, <kbd>+</kbd> <kbd>−</kbd> or wheel zoom, <kbd>0</kbd> whole run, <kbd>v</kbd> violation, <kbd>l</kbd> next leader, drag to move</p>
<p class="legend"><b>members</b> <i class="leader"></i>leads <i class="follower"></i>follows <i class="none"></i>knows no leader <i class="commit"></i>commits <i class="apply"></i>applies</p>
<p class="legend"><b>operations</b> <i class="ok"></i>ok <i class="failed"></i>failed for certain <i class="unknown"></i>outcome unknown <b>messages</b> show when zoomed in, lost ones end in a cross</p>
</header>
<main><canvas id="lanes" tabindex="0" aria-label="Timeline of the run"></canvas><div id="tip" role="status" hidden></div></main>
<script type="application/json" id="run">${data}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
