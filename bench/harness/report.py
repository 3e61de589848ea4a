"""The results as text: tables in Markdown, which is readable on a terminal as well, and JSON."""

import json

from harness.results import REFERENCE
from harness.targets import targets


def number(value):
    """Three significant digits, and no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _table(header, rows):
    """Empty columns are left out. Columns named in _LEFT have words, the others numbers."""
    used = [i for i in range(len(header)) if any(row[i] for row in rows)]
    header, rows = [header[i] for i in used], [[row[i] for i in used] for row in rows]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells):
        return "| " + " | ".join(cell.ljust(width) if name in _LEFT else cell.rjust(width)
                                 for cell, width, name in zip(cells, widths, header)) + " |"

    rule = "|".join("-" * (width + 1) + ("-" if name in _LEFT else ":") for width, name in zip(widths, header))
    return "\n".join([line(header), f"|{rule}|", *map(line, rows)])


_LEFT = ("case", "candidate", "target")


def tables(results, groups):
    """`groups`: name -> module with a TITLE."""
    parts = []
    for name, module in groups.items():
        series = [one for one in results.all() if one.group == name]
        if series:
            parts.append(f"## {module.TITLE}")
        for unit in dict.fromkeys(one.unit for one in series):
            rows = []
            for one in (one for one in series if one.unit == unit):
                ratio = results.ratio(one)
                rows.append([one.case, one.name, number(one.median), f"{number(one.low)} – {number(one.high)}",
                             "" if ratio is None else number(ratio)])
            parts.append(f"{unit}:")
            parts.append(_table(["case", "candidate", "median", "min – max", f"× {REFERENCE}"], rows))
    held = targets(results)
    if held:
        parts.append("## Targets")
        parts.append(_table(["target", "measured", "limit", "met"],
                            [[target.text, number(target.value), ("≤ " if target.at_most else "≥ ") + number(target.limit),
                              "yes" if target.met else "NO"] for target in held]))
    return "\n\n".join(parts)


def markdown(results, groups, machine, plan):
    facts = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    return (f"# What an id costs\n\nMeasured with idgen {machine['idgen']}, {machine['date']}, by `bench/run --write`."
            f" [README.md](README.md) says what each number means. Medians of {plan.rounds} rounds.\n\n{facts}\n\n"
            f"![Nanoseconds per id](results.svg)\n\n{tables(results, groups)}\n")


def as_json(results, machine, plan):
    series = [vars(one) | {"median": one.median, "min": one.low, "max": one.high, "ratio": results.ratio(one)}
              for one in results.all()]
    held = [{"target": target.text, "value": target.value, "limit": target.limit, "at_most": target.at_most,
             "met": target.met} for target in targets(results)]
    return json.dumps({"machine": machine, "plan": vars(plan), "series": series, "targets": held}, indent=1) + "\n"
