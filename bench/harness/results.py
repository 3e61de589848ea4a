"""What was measured: series of values, one value per round."""

import statistics
from dataclasses import dataclass, field

REFERENCE = "nextval, CACHE 1"


def in_turn(candidates, round_number):
    """Alternately forwards and backwards, so that after-effects of a measurement favour no candidate."""
    candidates = list(candidates.items())
    return candidates if round_number % 2 == 1 else candidates[::-1]


@dataclass
class Series:
    group: str  # the module that measured it
    unit: str   # of its values; a table per unit
    name: str   # of the candidate
    case: str   # the circumstances, or empty; candidates are compared within a case
    values: list = field(default_factory=list)

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def low(self):
        return min(self.values)

    @property
    def high(self):
        return max(self.values)


class Results:
    """All series of a run, in the order in which they were first measured."""

    def __init__(self):
        self._series = {}

    def add(self, group, unit, name, value, case=""):
        key = (group, unit, name, case)
        self._series.setdefault(key, Series(*key)).values.append(value)

    def all(self):
        return list(self._series.values())

    def find(self, group, unit, name, case=""):
        return self._series.get((group, unit, name, case))

    def median(self, group, unit, name, case=""):
        """None if it was not measured in this run."""
        series = self.find(group, unit, name, case)
        return None if series is None else series.median

    def ratio(self, series):
        """Its median over that of nextval in the same case; None if the case has no nextval."""
        reference = self.median(series.group, series.unit, REFERENCE, series.case)
        return series.median / reference if reference else None
