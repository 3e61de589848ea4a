"""The results as text: tables (Markdown, which reads well on a terminal too) and JSON."""

import json

from harness.results import REFERENCE
from harness.targets import targets


def number(value):
    """Three significant digits, and no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _table(header, rows):
    """Columns without a cell are left out; the headers in _LEFT stand over words, the others over numbers."""
    used = [i for i in range(len(header)) if any(row[i] for row in rows)]
    header, rows = [header[i] for i in used], [[row[i] for i in used] for row in rows]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells):
        return "| " + " | ".join(cell.ljust(width) if name in _LEFT else cell.rjust(width)
                                 for cell, width, name in zip(cells, widths, header)) + " |"

    rule = "|".join("-" * (width + 1) + ("-" if name in _LEFT else ":") for width, name in zip(widths, header))
    return "\n".join([line(header), f"|{rule}|", *map(line, rows)])


_LEFT = ("case", "candidate", "goal")


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
        parts.append("## What it must reach")
        parts.append(_table(["goal", "measured", "limit", "met"],
                            [[goal.text, number(goal.value), ("≤ " if goal.at_most else "≥ ") + number(goal.limit),
                              "yes" if goal.met else "NO"] for goal in held]))
    return "\n\n".join(parts)


def markdown(results, groups, machine, plan):
    facts = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    return (f"# What an id costs\n\nWritten by `bench/run --write`; [README.md](README.md) says what each number means."
            f" Medians of {plan.rounds} rounds.\n\n{facts}\n\n![ns per id](results.svg)\n\n{tables(results, groups)}\n")


def as_json(results, machine, plan):
    series = [vars(one) | {"median": one.median, "min": one.low, "max": one.high, "ratio": results.ratio(one)}
              for one in results.all()]
    goals = [{"goal": goal.text, "value": goal.value, "limit": goal.limit, "at_most": goal.at_most, "met": goal.met}
             for goal in targets(results)]
    return json.dumps({"machine": machine, "plan": vars(plan), "series": series, "goals": goals}, indent=1) + "\n"
