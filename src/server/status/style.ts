/**
 * The one style sheet of the status page, inlined. No external assets; light and dark by the
 * reader's setting; colour is never the only sign.
 */
export const style = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --panel: #ffffff; --sunken: #f0f2f5; --line: #e1e5ea; --line-strong: #c9d0d8;
  --text: #17202b; --muted: #5b6775; --link: #1452a8; --focus: #1452a8;
  --ok: #166f41; --ok-soft: #e4f4ea; --warn: #855300; --warn-soft: #fcf1da; --bad: #b3261e; --bad-soft: #fce8e6;
  --busy: #1452a8; --busy-soft: #e5eefb; --idle: #5b6775; --idle-soft: #eceff2;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace;
  --sans: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', Arial, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1318; --panel: #171c23; --sunken: #11161c; --line: #262e38; --line-strong: #3a4551;
    --text: #e6eaef; --muted: #97a3b1; --link: #82b4ff; --focus: #82b4ff;
    --ok: #5cc98d; --ok-soft: #14301f; --warn: #e6b25a; --warn-soft: #352710; --bad: #ff8f85; --bad-soft: #3d1a18;
    --busy: #82b4ff; --busy-soft: #172a47; --idle: #97a3b1; --idle-soft: #222a33;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { font: 15px/1.5 var(--sans); background: var(--page); color: var(--text); -webkit-text-size-adjust: 100%; }
body { margin: 0; }
h1, h2, h3, p, dl, dd, ul, ol, figure, pre { margin: 0; padding: 0; }
h1 { font-size: 1.55rem; line-height: 1.25; font-weight: 650; letter-spacing: -0.015em; overflow-wrap: anywhere; }
h2 { font-size: 1.02rem; font-weight: 650; }
a { color: var(--link); text-decoration: none; }
a:hover, p a { text-decoration: underline; text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
code, pre, .mono { font-family: var(--mono); font-size: 0.87em; }
code { background: var(--sunken); border: 1px solid var(--line); border-radius: 4px; padding: 0.05em 0.35em; overflow-wrap: anywhere; }
pre { background: var(--sunken); border: 1px solid var(--line); border-radius: 6px; padding: 0.75rem 0.9rem; overflow-x: auto; line-height: 1.45; }
.muted { color: var(--muted); }
.small { font-size: 0.87rem; }
.nowrap { white-space: nowrap; }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.hidden-text { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 1rem; top: 0.5rem; background: var(--panel); padding: 0.4rem 0.8rem; z-index: 2; }

.bar { background: var(--panel); border-bottom: 1px solid var(--line); }
.bar > div { max-width: 1240px; margin: 0 auto; padding: 0 1.5rem; display: flex; flex-wrap: wrap; align-items: center; gap: 0 1.75rem; min-height: 3.4rem; }
.brand { font-weight: 700; letter-spacing: -0.02em; font-size: 1.08rem; color: var(--text); display: inline-flex; align-items: center; gap: 0.55rem; }
.brand:hover { text-decoration: none; }
.brand svg { width: 1.35rem; height: 1.35rem; color: var(--link); }
.bar nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem; }
.bar nav a { display: block; padding: 1rem 0.7rem calc(1rem - 2px); color: var(--muted); border-bottom: 2px solid transparent; }
.bar nav a:hover { color: var(--text); text-decoration: none; }
.bar nav a[aria-current] { color: var(--text); border-bottom-color: var(--link); font-weight: 550; }
.bar .asof { margin-left: auto; color: var(--muted); font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.lost { background: var(--bad-soft); color: var(--bad); padding: 0.5rem 1.5rem; text-align: center; }
main { max-width: 1240px; margin: 0 auto; padding: 1.75rem 1.5rem 4rem; display: grid; gap: 1.5rem; }
main > header { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; }
main > header .sub { flex-basis: 100%; color: var(--muted); overflow-wrap: anywhere; }
footer { max-width: 1240px; margin: 0 auto; padding: 0 1.5rem 2rem; color: var(--muted); font-size: 0.85rem; }
footer a { text-decoration: underline; }

.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; min-width: 0; }
.panel > header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.25rem 0.75rem; padding: 0.9rem 1.15rem; border-bottom: 1px solid var(--line); }
.panel > header .more { margin-left: auto; font-size: 0.87rem; }
.panel .body { padding: 1rem 1.15rem; }
.grid { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); align-items: start; }
.empty { padding: 1.6rem 1.15rem; color: var(--muted); }

.stat .total { font-size: 2rem; font-weight: 650; letter-spacing: -0.03em; line-height: 1.1; font-variant-numeric: tabular-nums; }
.stat .total a { color: inherit; text-decoration: none; }
.stat svg.share { display: block; width: 100%; height: 8px; border-radius: 4px; margin: 0.7rem 0 0.8rem; background: var(--idle-soft); }
.stat ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.35rem 0.5rem; }
.stat ul a:hover { text-decoration: none; }
.fill-ok { fill: var(--ok); } .fill-warn { fill: var(--warn); } .fill-bad { fill: var(--bad); } .fill-busy { fill: var(--busy); } .fill-idle { fill: var(--line-strong); }

.chip { display: inline-flex; align-items: center; gap: 0.35rem; border-radius: 999px; padding: 0.08rem 0.6rem 0.08rem 0.5rem; font-size: 0.82rem; font-weight: 550; white-space: nowrap; background: var(--idle-soft); color: var(--idle); }
.chip svg { width: 0.62rem; height: 0.62rem; fill: currentColor; flex: none; }
.chip b { font-weight: 650; font-variant-numeric: tabular-nums; }
.chip.ok { background: var(--ok-soft); color: var(--ok); } .chip.warn { background: var(--warn-soft); color: var(--warn); }
.chip.bad { background: var(--bad-soft); color: var(--bad); } .chip.busy { background: var(--busy-soft); color: var(--busy); }

.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-size: 0.78rem; font-weight: 600; color: var(--muted); padding: 0.6rem 1.15rem 0.45rem 0; white-space: nowrap; }
td { padding: 0.6rem 1.15rem 0.6rem 0; vertical-align: top; border-top: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 1.15rem; }
.name { font-weight: 600; }
td a.name { display: inline-block; padding-bottom: 0.3rem; } td a.small { display: inline-block; padding-block: 0.1rem 0.25rem; }
td .chip { margin-top: 0.05rem; }
td > .why:first-child { margin-top: 0; }
td.wide { min-width: 17rem; overflow-wrap: anywhere; } td.mono:not(.wide) { min-width: 11rem; overflow-wrap: anywhere; }
tbody tr:hover { background: color-mix(in srgb, var(--sunken) 60%, transparent); }
.why { margin-top: 0.3rem; max-width: 78ch; overflow-wrap: anywhere; }
.why .code { font-family: var(--mono); font-size: 0.78rem; color: var(--muted); }
.fix { margin-top: 0.25rem; max-width: 78ch; padding-left: 0.7rem; border-left: 3px solid var(--line-strong); }
.fix b { font-weight: 600; }
.trouble { list-style: none; }
.trouble > li { display: grid; grid-template-columns: 8.5rem minmax(0, 1fr) auto; gap: 0.2rem 1rem; padding: 0.9rem 1.15rem; border-top: 1px solid var(--line); }
.trouble > li:first-child { border-top: 0; }
.trouble .when { color: var(--muted); font-size: 0.87rem; white-space: nowrap; }
@media (max-width: 640px) { .trouble > li { grid-template-columns: 1fr auto; } .trouble > li > .what { grid-column: 1 / -1; grid-row: 2; } }

.facts { display: grid; grid-template-columns: minmax(8rem, max-content) minmax(0, 1fr); gap: 0.5rem 1.25rem; }
.facts dt { color: var(--muted); }
.facts dd { overflow-wrap: anywhere; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr)); gap: 0.75rem 1.5rem; }
.row dt { color: var(--muted); }
.row dd b { font-size: 1.25rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.row dd .fix b { font-size: inherit; }
.notice { border: 1px solid var(--line); border-left: 4px solid var(--idle); border-radius: 8px; background: var(--panel); padding: 0.85rem 1.15rem; }
.notice.bad { border-left-color: var(--bad); } .notice.warn { border-left-color: var(--warn); } .notice.busy { border-left-color: var(--busy); }
.notice .fix { margin-top: 0.5rem; }
details > summary { cursor: pointer; color: var(--link); width: fit-content; }
details[open] > summary { margin-bottom: 0.5rem; }

.tools { display: flex; flex-wrap: wrap; gap: 0.6rem 1rem; align-items: center; padding: 0.8rem 1.15rem; border-bottom: 1px solid var(--line); }
.tools form { display: flex; gap: 0.4rem; flex: 1 1 16rem; max-width: 27rem; }
input[type=search] { flex: 1; min-width: 0; font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line-strong); border-radius: 6px; padding: 0.35rem 0.65rem; }
button { font: inherit; font-weight: 550; color: var(--text); background: var(--panel); border: 1px solid var(--line-strong); border-radius: 6px; padding: 0.35rem 0.8rem; cursor: pointer; }
button:hover { background: var(--sunken); }
.danger { color: var(--bad); border-color: var(--bad); }
.button { display: inline-block; font-weight: 550; color: var(--text); background: var(--panel); border: 1px solid var(--line-strong); border-radius: 6px; padding: 0.35rem 0.8rem; }
.button:hover { background: var(--sunken); text-decoration: none; }
.primary, .primary:hover { background: var(--link); border-color: var(--link); color: var(--panel); }
main > header .button { margin-left: auto; }
.actions { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: flex-start; }
.actions > form { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.actions details { border: 1px solid var(--line-strong); border-radius: 6px; background: var(--panel); padding: 0.35rem 0.8rem; max-width: 34rem; }
.actions details form { display: grid; gap: 0.6rem; justify-items: start; padding-bottom: 0.4rem; }
.tabs { display: flex; flex-wrap: wrap; gap: 0.6rem; }
.tabs a { flex: 1 1 14rem; display: block; background: var(--panel); border: 1px solid var(--line-strong); border-radius: 8px; padding: 0.6rem 0.9rem; color: var(--text); }
.tabs a:hover { text-decoration: none; background: var(--sunken); }
.tabs a[aria-current] { border-color: var(--link); box-shadow: inset 0 0 0 1px var(--link); }
.tabs .small { display: block; color: var(--muted); }
.fields { display: grid; gap: 1rem; max-width: 46rem; }
@media (min-width: 700px) { .fields.columns .field:has(#field-use) { grid-column: span 2; } }
.fields.columns { grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); align-items: end; max-width: none; }
.field { display: grid; gap: 0.25rem; min-width: 0; }
.field label { font-weight: 550; }
.field label .muted { font-weight: 400; }
.field input, .field select { width: 100%; min-width: 0; font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line-strong); border-radius: 6px; padding: 0.4rem 0.65rem; }
.field input::placeholder, input[type=search]::placeholder { color: var(--muted); opacity: 1; }
.field input[aria-invalid] { border-color: var(--bad); }
.field .hint { color: var(--muted); font-size: 0.87rem; }
.field .error { color: var(--bad); }
.snippet { margin-top: 0.9rem; display: grid; gap: 0.35rem; min-width: 0; }
.snippet figcaption { font-weight: 600; font-size: 0.87rem; }
.snippet pre { max-height: 24rem; overflow: auto; user-select: all; }
.filters { list-style: none; display: flex; flex-wrap: wrap; gap: 0.35rem; }
.filters a { display: block; border: 1px solid var(--line); border-radius: 999px; padding: 0.12rem 0.7rem; font-size: 0.87rem; color: var(--muted); }
.filters a:hover { text-decoration: none; border-color: var(--line-strong); color: var(--text); }
.filters a[aria-current] { border-color: var(--link); color: var(--link); font-weight: 550; }
.pages { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding: 0.75rem 1.15rem; border-top: 1px solid var(--line); font-size: 0.9rem; color: var(--muted); }

.phases { list-style: none; display: flex; flex-wrap: wrap; gap: 0.4rem 0; counter-reset: phase; }
.phases li { display: flex; align-items: center; color: var(--muted); font-size: 0.9rem; }
.phases li:not(:last-child)::after { content: ''; width: 1.6rem; height: 1px; background: var(--line-strong); margin: 0 0.5rem; }
.phases li span { padding: 0.15rem 0.7rem; border: 1px solid var(--line); border-radius: 999px; }
.phases li.past span { color: var(--ok); border-color: color-mix(in srgb, var(--ok) 40%, transparent); }
.phases li[aria-current] span { background: var(--busy-soft); color: var(--busy); border-color: var(--busy); font-weight: 600; }
.steps { list-style: none; }
.steps li { display: grid; grid-template-columns: 9rem minmax(0, 1fr); gap: 0.2rem 1rem; padding: 0.5rem 1.15rem; border-top: 1px solid var(--line); }
.steps li:first-child { border-top: 0; }
@media (prefers-reduced-motion: no-preference) { .chip.busy svg { animation: pulse 1.6s ease-in-out infinite; } @keyframes pulse { 50% { opacity: 0.35; } } }
@media (max-width: 640px) {
  .bar > div { padding: 0.6rem 1rem 0; justify-content: space-between; } .bar nav { order: 1; flex-basis: 100%; margin: 0 -0.6rem; } .bar nav ul { gap: 0; }
  .bar nav a { padding: 0.45rem 0.6rem; }
  main { padding: 1rem 0.75rem 3rem; gap: 1rem; }
  .panel > header, .panel .body, .trouble > li { padding-left: 0.85rem; padding-right: 0.85rem; }
  .row { grid-template-columns: 1fr 1fr; }
  .facts { grid-template-columns: 1fr; gap: 0.1rem; } .facts dd { margin-bottom: 0.5rem; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, caption { display: block; }
  tr { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.25rem 0.75rem; padding: 0.7rem 0.85rem; border-top: 1px solid var(--line); }
  td, td:first-child, td.mono:not(.wide) { display: block; padding: 0; border: 0; overflow-wrap: anywhere; min-width: 0; }
  td.wide { min-width: 0; flex: 1 1 100%; }
  td.nowrap, td.num { color: var(--muted); font-size: 0.87rem; text-align: left; }
  td:empty { display: none; }
  td:has(.chip) { order: -2; } td:has(.why, .name) { order: -1; }
  td[data-title]::before { content: attr(data-title) ' '; }
  td:not(.wide):not(.num) > br { display: none; }
  main > header, main > .told { order: -2; } main > [aria-labelledby=panel-needs-attention] { order: -1; }
  main > header .button { margin-left: 0; }
  .steps li { grid-template-columns: 1fr; }
}
@media print { .bar nav, .tools, .skip { display: none; } .panel { break-inside: avoid; } }
`;
