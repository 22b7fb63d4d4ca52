"""The look of report.html: one stylesheet, light and dark by the reader's setting, readable in print."""

from __future__ import annotations

LIGHT = (
    "--paper:#fbfbfa;--card:#ffffff;--ink:#1b1f24;--soft:#59636e;--line:#e2e4e8;--accent:#2a5db0;"
    "--gain:#0b7a75;--loss:#c2410c;--tint:12%"
)
DARK = (
    "--paper:#101317;--card:#171b21;--ink:#e6e9ee;--soft:#98a2ae;--line:#2a3038;--accent:#7aa8f0;"
    "--gain:#4ec9bd;--loss:#f59561;--tint:18%"
)
CSS = (
    ":root{color-scheme:light dark;" + LIGHT + "}"
    "@media(prefers-color-scheme:dark){:root{" + DARK + "}}"
    """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",
Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1020px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:27px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:17px;margin:44px 0 12px}
p{margin:0 0 10px;max-width:72ch}
.soft,.note{color:var(--soft)}
.note{font-size:13px}
.scroll+p,.scroll+.scroll{margin-top:14px}
code{font:12.5px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px;margin:0;
white-space:pre-wrap}
.badges{display:flex;gap:8px;flex-wrap:wrap;margin:14px 0 26px}
.badge{border:1px solid currentColor;border-radius:999px;padding:1px 11px;font-size:13px;font-weight:600}
.good{color:var(--gain)}.bad{color:var(--loss)}.mild{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:1px;background:var(--line);
border:1px solid var(--line);border-radius:10px;overflow:hidden}
.tile{background:var(--card);padding:14px 16px}
.tile b{display:block;font-size:22px;font-weight:600;line-height:1.25;letter-spacing:-.01em}
.tile span{font-size:13px;color:var(--soft)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:6px 10px 6px 0;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;font-size:12.5px;color:var(--soft)}
th:first-child,td:first-child,.words{text-align:left}
td.words{max-width:46ch}
.months td,.months th{text-align:center;padding:5px 4px;min-width:52px;border:0;font-size:13px}
.months th:first-child{text-align:left}
.months .g{background:color-mix(in srgb,var(--gain) calc(var(--a)*1%),transparent)}
.months .l{background:color-mix(in srgb,var(--loss) calc(var(--a)*1%),transparent)}
.months td:last-child{font-weight:600}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:20px}
figure{margin:0 0 8px}
figcaption{font-size:13px;color:var(--soft);margin:0 0 2px}
svg{display:block;width:100%;height:auto;font:11px system-ui,sans-serif}
svg text{fill:var(--soft)}
svg .axis{font-size:11.5px}
svg path{fill:none}
svg .grid{stroke:var(--line)}
svg .start,svg .zero{stroke:var(--soft);stroke-dasharray:3 3;stroke-width:1;opacity:.7}
svg .area{fill:var(--accent);fill-opacity:.09}
svg .band{fill:var(--accent);stroke:var(--accent);stroke-width:1.3;stroke-linejoin:round;fill-opacity:.9}
svg .line{stroke:var(--accent);stroke-width:1.6;stroke-linejoin:round}
svg .fall{fill:var(--loss);fill-opacity:.22;stroke:var(--loss);stroke-width:1}
svg .dots{stroke-width:4;stroke-linecap:round;stroke-opacity:.5}
svg .dots.win{stroke:var(--gain)}svg .dots.loss{stroke:var(--loss)}
svg .own{fill:var(--accent)}
svg .range{stroke:var(--soft);stroke-width:3;stroke-linecap:round;opacity:.45}
svg .middle{stroke:var(--ink);stroke-width:1.5}
svg.whisker{width:240px;max-width:100%;display:inline-block;vertical-align:middle;margin-bottom:6px}
details{border-top:1px solid var(--line);padding:10px 0}
details:last-of-type{border-bottom:1px solid var(--line)}
summary{cursor:pointer;font-weight:600}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
@media(max-width:720px){.tiles{grid-template-columns:1fr 1fr}
.pair{grid-template-columns:1fr}main{padding:24px 16px}dl{grid-template-columns:1fr}}
@media print{body{background:#fff}details{break-inside:avoid}figure,table{break-inside:avoid}}
"""
)
