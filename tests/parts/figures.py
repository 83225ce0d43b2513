"""Figures that tests measure: one table of them all at the end of a run, whether they were held or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

import pytest

_PROPERTY: Final = "figure"


@dataclass(frozen=True)
class Figure:
    name: str
    """With its unit: `heal_s`."""
    value: float
    limit: float
    """The largest value that is right, or, where `is_least`, the smallest."""
    is_least: bool = False

    @property
    def is_held(self) -> bool:
        return self.value >= self.limit if self.is_least else self.value <= self.limit


class Figures:
    """What one test measured. `at_most` and `at_least` fail the test where the limit is not held."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record

    def at_most(self, name: str, value: float, limit: float) -> None:
        self._judge(Figure(name, value, limit))

    def at_least(self, name: str, value: float, limit: float) -> None:
        self._judge(Figure(name, value, limit, is_least=True))

    def all_at_most(self, limits: Mapping[str, tuple[float, float]]) -> None:
        """Value and limit by name. All are printed, also where one is not held."""
        found = [Figure(name, value, limit) for name, (value, limit) in limits.items()]
        for one in found:
            self._print(one)
        missed = [_row(one) for one in found if not one.is_held]
        assert not missed, "\n".join(missed)

    def _judge(self, figure: Figure) -> None:
        self._print(figure)
        assert figure.is_held, _row(figure)

    def _print(self, figure: Figure) -> None:
        # Only plain values reach the process that prints the table.
        self._record(_PROPERTY, asdict(figure))


def measured(reports: Iterable[Any]) -> list[tuple[str, Figure]]:
    """Test and figure, from the reports of a run, in the order in which they came."""
    return [
        (report.nodeid.rpartition("/")[2].partition("@")[0], Figure(**cast("dict[str, Any]", value)))
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]


def table(rows: Iterable[tuple[str, Figure]]) -> list[str]:
    """A line for each figure, under the test that measured it."""
    lines: list[str] = []
    last = ""
    for test, figure in rows:
        if test != last:
            lines.append(test)
            last = test
        lines.append(f"  {_row(figure)}")
    return lines


def _row(figure: Figure) -> str:
    verb = "at least" if figure.is_least else "at most"
    return f"{figure.name:<40} {figure.value:>12g}   {verb} {figure.limit:g}{'' if figure.is_held else '   NOT HELD'}"
