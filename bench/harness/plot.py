"""The plot: ns per id of the main candidates as dots on a logarithmic axis, with their range. Plain SVG text."""

import math
from html import escape

from harness import calls
from harness.report import number

# In this order, ours marked.
SHOWN = [
    ("idgen_next()", True),
    ("idgen_next(), block_size 1", True),
    ("uuid_v7()", True),
    ("nextval, CACHE 1000", False),
    ("nextval, CACHE 1", False),
    ("gen_random_uuid()", False),
    ("uuidv7() of PostgreSQL 18", False),
    ("uuid-ossp, uuid_generate_v4()", False),
    ("Instagram's function (plpgsql)", False),
]
WIDTH, LEFT, RIGHT, TOP, ROW = 760, 250, 50, 54, 30
LOW_NS = 1

# One file for light and dark pages: an <img> follows the reader's setting through the media query. Viewers that don't
# know media queries show dark on white, hence the background.
STYLE = """
.page { fill: #ffffff }
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.axis { fill: #59636e; font-size: 12px }
.grid { stroke: #d1d9e0 }
.idgen { fill: #0969da; stroke: #0969da }
.peer { fill: #818b98; stroke: #818b98 }
.value { font-variant-numeric: tabular-nums }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117 }
  text { fill: #f0f6fc }
  .axis { fill: #9198a1 }
  .grid { stroke: #3d444d }
  .idgen { fill: #4493f8; stroke: #4493f8 }
  .peer { fill: #9198a1; stroke: #9198a1 }
}"""


def svg(results):
    found = [(results.find("calls", calls.NS, name), ours) for name, ours in SHOWN]
    rows = [(series, ours) for series, ours in found if series is not None]
    high_ns = 10 ** math.ceil(math.log10(max(series.high for series, _ in rows)))
    height = TOP + ROW * len(rows) + 34
    bottom = TOP + ROW * len(rows)

    def x(ns):
        share = math.log(max(ns, LOW_NS) / LOW_NS) / math.log(high_ns / LOW_NS)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
             f' aria-label="Nanoseconds per id, logarithmic scale">', f"<style>{STYLE}</style>",
             f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
             '<text class="title" x="12" y="24">Nanoseconds per id, one session (logarithmic; less is better)</text>']
    ns = LOW_NS
    while ns <= high_ns:
        parts.append(f'<line class="grid" x1="{x(ns):.1f}" x2="{x(ns):.1f}" y1="{TOP - 8}" y2="{bottom}"/>')
        parts.append(f'<text class="axis" x="{x(ns):.1f}" y="{bottom + 18}" text-anchor="middle">{ns:,} ns</text>')
        ns *= 10
    for i, (series, ours) in enumerate(rows):
        y = TOP + ROW * i + ROW / 2 - 4
        kind = "idgen" if ours else "peer"
        parts.append(f'<text x="{LEFT - 14}" y="{y + 5:.1f}" text-anchor="end">{escape(series.name)}</text>')
        parts.append(f'<line class="{kind}" stroke-width="3" stroke-linecap="round" opacity="0.5"'
                     f' x1="{x(series.low):.1f}" x2="{x(series.high):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<circle class="{kind}" cx="{x(series.median):.1f}" cy="{y:.1f}" r="6"/>')
        parts.append(f'<text class="value" x="{x(series.high) + 12:.1f}" y="{y + 5:.1f}">'
                     f'{number(series.median)}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
