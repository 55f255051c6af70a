/** How the page looks, by day and by night. */
export const PAGE_STYLE: string = `
:root { color-scheme: light dark; --page: #fbfbf9; --ink: #1d1f21; --soft: #6b6f76; --line: #e3e3de;
  --good: #2f7d4f; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181b; --ink: #e8e6e1; --soft: #9a9da3; --line: #2c2f34; --good: #6fc08f; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 14px/1.45 system-ui, sans-serif;
  display: flex; flex-direction: column; min-height: 100vh; }
header { padding: 16px 24px 8px; }
h1 { margin: 0; font-size: 18px; font-weight: 600; }
header p { margin: 4px 0; color: var(--soft); }
header ul { margin: 4px 0; padding-left: 18px; color: var(--soft); max-height: 7em; overflow: auto; }
.verdict { font-size: 15px; }
header .good { color: var(--good); }
header .bad { color: var(--bad); }
kbd { border: 1px solid var(--line); border-radius: 4px; padding: 0 5px; font: 12px ui-monospace, monospace; }
.legend b { font-weight: 600; color: var(--ink); margin-right: 2px; }
.legend b:not(:first-child) { margin-left: 18px; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 2px; margin: 0 4px 0 10px; vertical-align: -1px; }
.legend .leader { background: #8fb4e8; } .legend .follower { background: #e6e9ee; border: 1px solid var(--line); }
.legend .none { background: #f2dfae; } .legend .ok { background: #5aa878; }
.legend .commit { background: #8a5a00; width: 3px; } .legend .apply { background: #2d5f9e; width: 3px; }
.legend .failed { background: #b4b6ba; } .legend .unknown { background: #e09a4a; }
@media (prefers-color-scheme: dark) { .legend .leader { background: #3f6fb5; } .legend .follower { background: #2b3138; }
  .legend .commit { background: #e8c06a; } .legend .apply { background: #9fc7ff; }
  .legend .none { background: #5c4a24; } .legend .ok { background: #4c9a6c; } .legend .failed { background: #6b6f76; }
  .legend .unknown { background: #d08a3c; } }
main { position: relative; flex: 1; border-top: 1px solid var(--line); }
canvas { display: block; width: 100%; cursor: grab; outline: none; }
canvas:active { cursor: grabbing; }
#tip { position: absolute; pointer-events: none; max-width: 520px; padding: 6px 10px; border-radius: 6px;
  background: var(--ink); color: var(--page); font-size: 12px; white-space: pre-wrap; overflow-wrap: anywhere; }
`;
