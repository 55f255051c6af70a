/** What the page does: draws lanes on a canvas, zooms, moves, tells what is under the pointer. Plain browser code. */
export const PAGE_SCRIPT: string = String.raw`
(() => {
  const run = JSON.parse(document.getElementById('run').textContent);
  const canvas = document.getElementById('lanes');
  const tip = document.getElementById('tip');
  const pen = canvas.getContext('2d');
  const LEFT = 92, TOP = 30, MEMBER = 44, CLIENT = 18, FAULT = 16, GAP = 12;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const paint = () => dark.matches
    ? { ink: '#e8e6e1', soft: '#8b8e94', line: '#2c2f34', leader: '#3f6fb5', follower: '#2b3138', none: '#5c4a24',
        down: '#1b1d20', ok: '#4c9a6c', failed: '#6b6f76', unknown: '#d08a3c', fault: '#7d4a63', bad: '#ff8a80',
        message: '#6fa3e0', vote: '#d9b35b', apply: '#9fc7ff', commit: '#e8c06a' }
    : { ink: '#1d1f21', soft: '#7a7e85', line: '#e3e3de', leader: '#8fb4e8', follower: '#e6e9ee', none: '#f2dfae',
        down: '#f6f5f1', ok: '#5aa878', failed: '#b4b6ba', unknown: '#e09a4a', fault: '#dcaac0', bad: '#b3261e',
        message: '#3b6fb0', vote: '#a87b14', apply: '#2d5f9e', commit: '#8a5a00' };
  const clients = [...new Set(run.operations.map((each) => each.client))].sort((a, b) => a - b);
  const faultRows = [];
  for (const fault of run.faults) {
    let row = faultRows.findIndex((end) => end <= fault.fromMs);
    if (row < 0) row = faultRows.push(0) - 1;
    faultRows[row] = fault.toMs;
    fault.row = row;
  }
  const faultTop = TOP, memberTop = faultTop + Math.max(1, faultRows.length) * FAULT + GAP;
  const clientTop = memberTop + run.members.length * (MEMBER + GAP);
  const height = clientTop + clients.length * CLIENT + 24;
  let from = 0, to = run.endMs, width = 0, boxes = [], dragX;
  const x = (ms) => LEFT + (ms - from) / (to - from) * (width - LEFT - 12);
  const ms = (px) => from + (px - LEFT) / (width - LEFT - 12) * (to - from);
  const laneY = (number) => memberTop + run.members.findIndex((each) => each.number === number) * (MEMBER + GAP);

  function resize() {
    width = canvas.parentElement.clientWidth;
    const scale = devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.height = height + 'px';
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    draw();
  }

  function box(a, b, y, h, color, text) {
    const x1 = Math.max(LEFT, x(a)), x2 = Math.min(width - 12, x(b));
    if (x2 < LEFT || x1 > width - 12) return;
    pen.fillStyle = color;
    pen.fillRect(x1, y, Math.max(1.5, x2 - x1), h);
    if (text) boxes.push({ x1, x2: Math.max(x2, x1 + 3), y1: y, y2: y + h, text });
  }

  function draw() {
    const ink = paint();
    boxes = [];
    pen.clearRect(0, 0, width, height);
    pen.font = '12px system-ui, sans-serif';
    pen.textBaseline = 'middle';
    drawAxis(ink);
    for (const fault of run.faults) {
      box(fault.fromMs, fault.toMs, faultTop + fault.row * FAULT, FAULT - 3, ink.fault,
        fault.kind + ' ' + fault.fromMs + ' to ' + fault.toMs + ' ms ' + fault.text);
      const shown = Math.min(width - 12, x(fault.toMs)) - Math.max(LEFT, x(fault.fromMs));
      if (shown < pen.measureText(fault.kind).width + 8) continue;
      pen.fillStyle = ink.ink;
      pen.fillText(fault.kind, Math.max(LEFT, x(fault.fromMs)) + 4, faultTop + fault.row * FAULT + 6);
    }
    label('faults', faultTop + 6, ink.soft);
    for (const member of run.members) drawMember(member, ink);
    if (to - from < 3000) drawMessages(ink);
    drawClients(ink);
    for (const each of run.violations) if (each.atMs !== null) drawViolation(each, ink);
    document.documentElement.dataset.view = from.toFixed(2) + ' ' + to.toFixed(2);
  }

  function label(text, y, color) {
    pen.fillStyle = color;
    pen.textAlign = 'right';
    pen.fillText(text, LEFT - 10, y);
    pen.textAlign = 'left';
  }

  function drawAxis(ink) {
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000]
      .find((each) => (to - from) / each < 12) || 50000;
    pen.strokeStyle = ink.line;
    pen.fillStyle = ink.soft;
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
      pen.beginPath(); pen.moveTo(x(at), 20); pen.lineTo(x(at), height); pen.stroke();
      pen.fillText(step < 1000 ? at + ' ms' : at / 1000 + ' s', x(at) + 3, 10);
    }
    pen.setLineDash([4, 4]);
    pen.strokeStyle = ink.soft;
    pen.beginPath(); pen.moveTo(x(run.safetyMs), 0); pen.lineTo(x(run.safetyMs), height); pen.stroke();
    pen.setLineDash([]);
  }

  function drawMember(member, ink) {
    const y = laneY(member.number);
    label('member ' + member.number, y + MEMBER / 2, ink.ink);
    box(0, run.endMs, y, MEMBER, ink.down, '');
    for (const [i, life] of member.lives.entries()) {
      const begun = i === 0 ? 0 : member.lives[i - 1].toMs;
      const roles = member.roles.filter((each) => each.atMs >= begun && each.atMs < life.toMs);
      const first = roles.findLast((each) => each.atMs <= life.fromMs);
      const spans = [{ ...(first || { term: 0 }), atMs: life.fromMs }, ...roles.filter((each) => each.atMs > life.fromMs)];
      spans.forEach((span, i) => {
        const end = spans[i + 1] ? spans[i + 1].atMs : life.toMs;
        const role = span.isLeader ? 'leader' : span.hasLeader ? 'follower' : 'none';
        box(span.atMs, end, y, MEMBER, ink[role], 'member ' + member.number + ': ' +
          (role === 'none' ? 'no leader known' : role) + ', term ' + span.term + ', from ' + span.atMs.toFixed(1) + ' ms');
        if (x(end) - x(span.atMs) > 34) {
          pen.fillStyle = ink.ink;
          pen.fillText('t' + span.term, Math.max(LEFT, x(span.atMs)) + 4, y + 10);
        }
      });
    }
    drawTicks(member.applied, y + MEMBER - 9, ink.apply, 'applied');
    drawTicks(member.committed, y + MEMBER - 18, ink.commit, 'commits');
  }

  /** A mark for each index; where they stand too close, one for several. */
  function drawTicks(marks, y, color, what) {
    pen.fillStyle = color;
    let last = -9;
    for (const { atMs, index } of marks) {
      const at = x(atMs);
      if (at < LEFT || at > width - 12 || at - last < 1.5) continue;
      last = at;
      pen.fillRect(at, y, 1.5, 6);
      boxes.push({ x1: at - 2, x2: at + 3, y1: y - 1, y2: y + 7, text: what + ' ' + index + ' at ' + atMs.toFixed(1) + ' ms' });
    }
  }

  function drawMessages(ink) {
    const limit = Math.min(2000, run.endMs);
    for (const each of run.messages) {
      const end = each.arrivedMs === null ? each.atMs + 2 : each.arrivedMs;
      if (end < from || each.atMs > to || !each.from || !each.to || end - each.atMs > limit) continue;
      if (to - from > 800 && each.type.startsWith('heartbeat')) continue;
      const down = laneY(each.to) > laneY(each.from);
      const y1 = laneY(each.from) + (down ? MEMBER : 0), y2 = laneY(each.to) + (down ? 0 : MEMBER);
      const lost = each.arrivedMs === null;
      const x1 = x(each.atMs), x2 = lost ? x1 + 5 : x(end), yEnd = lost ? y1 + (y2 - y1) * 0.45 : y2;
      pen.strokeStyle = lost ? ink.bad : /ote/.test(each.type) ? ink.vote : ink.message;
      pen.globalAlpha = each.type.startsWith('heartbeat') ? 0.3 : 0.75;
      pen.beginPath(); pen.moveTo(x1, y1); pen.lineTo(x2, yEnd); pen.stroke();
      if (lost) { pen.beginPath(); pen.moveTo(x2 - 3, yEnd - 3); pen.lineTo(x2 + 3, yEnd + 3);
        pen.moveTo(x2 - 3, yEnd + 3); pen.lineTo(x2 + 3, yEnd - 3); pen.stroke(); }
      pen.globalAlpha = 1;
      const text = each.type + ' ' + each.from + ' → ' + each.to + ', term ' + each.term + (each.text ? ', ' + each.text : '') +
        '\nsent at ' + each.atMs.toFixed(1) + ' ms, ' + (lost ? 'never arrived' : 'arrived at ' + end.toFixed(1) + ' ms');
      // Along the line, so that the pointer finds it.
      for (let i = 0; i < 4; i++) {
        const a = i / 4, b = (i + 1) / 4, ya = y1 + (yEnd - y1) * a, yb = y1 + (yEnd - y1) * b;
        boxes.push({ x1: x1 + (x2 - x1) * a - 2, x2: x1 + (x2 - x1) * b + 3, y1: Math.min(ya, yb), y2: Math.max(ya, yb), text });
      }
    }
  }

  function drawClients(ink) {
    clients.forEach((client, row) => label('client ' + client, clientTop + row * CLIENT + CLIENT / 2, ink.soft));
    for (const each of run.operations) {
      const y = clientTop + clients.indexOf(each.client) * CLIENT;
      box(each.fromMs, each.toMs, y + 2, CLIENT - 5, ink[each.outcome],
        each.text + '\nclient ' + each.client + ' at member ' + each.member + ', ' +
        each.fromMs.toFixed(1) + ' to ' + each.toMs.toFixed(1) + ' ms, ' + each.outcome);
    }
  }

  function drawViolation(each, ink) {
    const at = x(each.atMs);
    if (at < LEFT || at > width) return;
    pen.strokeStyle = pen.fillStyle = ink.bad;
    pen.lineWidth = 2;
    pen.beginPath(); pen.moveTo(at, 0); pen.lineTo(at, height); pen.stroke();
    pen.lineWidth = 1;
    const isAtEnd = at + 8 + pen.measureText(each.invariant).width > width;
    pen.textAlign = isAtEnd ? 'right' : 'left';
    pen.fillText(each.invariant, isAtEnd ? at - 4 : at + 4, 22);
    pen.textAlign = 'left';
    boxes.push({ x1: at - 4, x2: at + 4, y1: 0, y2: height, text: each.invariant + ': ' + each.message });
  }

  function view(a, b) {
    const span = Math.min(run.endMs, Math.max(0.5, b - a));
    from = Math.min(Math.max(0, a), run.endMs - span);
    to = from + span;
    draw();
  }
  function zoom(factor, around) {
    const at = around === undefined ? (from + to) / 2 : around;
    view(at - (at - from) * factor, at + (to - at) * factor);
  }
  function jump(at) { const half = Math.min(1000, run.endMs / 2); view(at - half, at + half); }

  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = (event.deltaX || event.deltaY) / width * (to - from);
      view(from + by, to + by);
    } else zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, ms(event.offsetX));
  }, { passive: false });
  canvas.addEventListener('pointerdown', (event) => { dragX = event.offsetX; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener('pointerup', () => { dragX = undefined; });
  canvas.addEventListener('pointerleave', () => { tip.hidden = true; });
  canvas.addEventListener('pointermove', (event) => {
    if (dragX !== undefined) {
      const by = ms(dragX) - ms(event.offsetX);
      dragX = event.offsetX;
      view(from + by, to + by);
    }
    const found = boxes.findLast((each) => event.offsetX >= each.x1 && event.offsetX <= each.x2 &&
      event.offsetY >= each.y1 && event.offsetY <= each.y2);
    tip.hidden = !found;
    if (!found) return;
    tip.textContent = found.text;
    tip.style.left = Math.min(event.offsetX + 14, width - tip.offsetWidth - 8) + 'px';
    tip.style.top = event.offsetY + 16 + 'px';
  });
  addEventListener('keydown', (event) => {
    const by = (to - from) / 5;
    const marked = run.violations.find((each) => each.atMs !== null);
    const leads = run.members.flatMap((each) => each.roles.filter((role) => role.isLeader).map((role) => role.atMs)).sort((a, b) => a - b);
    const acts = {
      ArrowLeft: () => view(from - by, to - by), ArrowRight: () => view(from + by, to + by),
      '+': () => zoom(1 / 1.5), '=': () => zoom(1 / 1.5), '-': () => zoom(1.5), 0: () => view(0, run.endMs),
      v: () => marked && jump(marked.atMs),
      l: () => jump(leads.find((at) => at > (from + to) / 2 + 1) || leads[0] || 0),
    };
    if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
  });
  addEventListener('resize', resize);
  dark.addEventListener('change', draw);
  resize();
  document.documentElement.dataset.ready = 'yes';
})();
`;
