"""The plot: nanoseconds per id as dots on a logarithmic axis, with the range of the rounds. Plain SVG text.

A logarithmic axis cannot show a range that reaches zero or less, as the difference of two noisy measurements can. Such
a range ends in an arrow at the edge of the axis, and every row has its numbers, so the picture hides nothing.
"""

import math
from html import escape

from harness import calls, peers
from harness.report import number

# In this order, ours marked.
SHOWN = [
    ("idgen_next()", True),
    ("idgen_next(), block_size 1", True),
    ("uuid_v7()", True),
    ("nextval, CACHE 1000", False),
    ("nextval, CACHE 1", False),
    *((peer.name, False) for peer in peers.built()),
    ("gen_random_uuid()", False),
    ("uuidv7() of PostgreSQL 18", False),
    ("uuid-ossp, uuid_generate_v4()", False),
    ("Instagram's function (plpgsql)", False),
]
WIDTH, LEFT, RIGHT, TOP, ROW = 860, 240, 190, 54, 30

# One file for light and dark pages: an <img> follows the reader's setting by the media query.
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.axis { fill: #59636e; font-size: 12px }
.grid { stroke: #d1d9e0 }
.idgen { fill: #0969da; stroke: #0969da }
.peer { fill: #818b98; stroke: #818b98 }
.value { font-variant-numeric: tabular-nums }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .axis { fill: #9198a1 }
  .grid { stroke: #3d444d }
  .idgen { fill: #4493f8; stroke: #4493f8 }
  .peer { fill: #9198a1; stroke: #9198a1 }
}"""


def svg(results, machine):
    found = [(results.find("calls", calls.NS, name), ours) for name, ours in SHOWN]
    rows = [(series, ours) for series, ours in found if series is not None]
    low_ns, high_ns = _axis([series for series, _ in rows])
    bottom = TOP + ROW * len(rows)
    height = bottom + 50

    def x(ns):
        share = math.log(max(ns, low_ns) / low_ns) / math.log(high_ns / low_ns)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
             f' aria-label="Nanoseconds per id, logarithmic scale">', f"<style>{STYLE}</style>",
             '<text class="title" x="12" y="24">Nanoseconds per id, one session (logarithmic; less is better)</text>',
             f'<text class="axis" x="{WIDTH - RIGHT + 20}" y="{TOP - 8}">median (min – max)</text>']
    ns = low_ns
    while ns <= high_ns:
        parts.append(f'<line class="grid" x1="{x(ns):.1f}" x2="{x(ns):.1f}" y1="{TOP - 8}" y2="{bottom}"/>')
        parts.append(f'<text class="axis" x="{x(ns):.1f}" y="{bottom + 16}" text-anchor="middle">{ns:,} ns</text>')
        ns *= 10
    for i, (series, ours) in enumerate(rows):
        parts += _row(series, "idgen" if ours else "peer", x, low_ns, TOP + ROW * i + ROW / 2 - 4)
    parts.append(f'<text class="axis" x="12" y="{height - 10}">{escape(_source(machine))}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _axis(series):
    """Powers of ten around all medians and maxima, and around those minima that it can show."""
    shown = [value for one in series for value in (one.low, one.median, one.high) if value >= 1]
    return 10 ** math.floor(math.log10(min(shown))), 10 ** math.ceil(math.log10(max(shown)))


def _row(series, kind, x, low_ns, y):
    yield f'<text x="{LEFT - 14}" y="{y + 5:.1f}" text-anchor="end">{escape(series.name)}</text>'
    yield (f'<line class="{kind}" stroke-width="3" opacity="0.5"'
           f' x1="{x(series.low):.1f}" x2="{x(series.high):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    if series.low < low_ns:
        yield f'<path class="{kind}" d="M{LEFT - 9} {y:.1f} l9 -5 v10 z"/>'
    if series.median >= low_ns:
        yield f'<circle class="{kind}" cx="{x(series.median):.1f}" cy="{y:.1f}" r="6"/>'
    values = f"{number(series.median)} ({number(series.low)} – {number(series.high)})"
    yield f'<text class="value" x="{WIDTH - RIGHT + 20}" y="{y + 5:.1f}">{values.replace("-", "−")}</text>'


def _source(machine):
    return f"idgen {machine['idgen']}, PostgreSQL {machine['PostgreSQL'].split(' ')[0]}, {machine['date']}"
