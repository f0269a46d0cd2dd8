#include "app/page/style.h"

namespace spillway::page {

const char* const kStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1d2126; --muted: #5c636b; --grid: #d7dbdf; --tint: #f3f5f7; --mark: #fdf1d8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --ink: #e4e7ea; --muted: #a3abb3; --grid: #363c42; --tint: #1e2226; --mark: #3d3117;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 1.2rem 1rem 3rem; max-width: 50rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .4rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
section { border-top: 1px solid var(--grid); margin-top: 2rem; padding-top: 1.4rem; }
.answer { font-size: 1.08rem; white-space: pre-line; }
.muted, figcaption, .note { color: var(--muted); font-size: .9rem; }
.caution { background: var(--mark); border-radius: .3rem; padding: .4rem .7rem; }
nav td:first-child { min-width: 9rem; max-width: 16rem; }
a { color: inherit; }
figure { margin: 1rem 0; }
figure svg { display: block; width: 100%; max-width: 32rem; height: auto; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
.scroll { overflow-x: auto; margin: 1rem 0 .3rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .7rem .28rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--grid); }
th { color: var(--muted); font-weight: 600; }
td { min-width: 3.2rem; }
td.long { min-width: 11rem; max-width: 24rem; overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; }
details { margin-top: .8rem; }
summary { cursor: pointer; color: var(--muted); }
pre {
  background: var(--tint); border-radius: .3rem; padding: .6rem .8rem; margin: .5rem 0; max-height: 20rem;
  overflow: auto; font: .82rem/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
footer { border-top: 1px solid var(--grid); margin-top: 2.5rem; padding-top: .8rem; }
@media print { details > * { display: block; } pre { max-height: none; } }
)css";

}  // namespace spillway::page
