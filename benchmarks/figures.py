"""What a benchmark found: a figure for each key, and the distributions behind them."""

import json
import os
import platform
import statistics
import timeit
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table


class BenchmarkError(Exception):
    """The benchmark cannot go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be.

    Attributes:
        bound: The most, or the least, that it should be.
        is_most: Whether the bound is an upper one.
    """

    bound: float
    is_most: bool

    def __str__(self) -> str:
        return f"{'≤' if self.is_most else '≥'} {self.bound:g}"

    def is_reached(self, figure: float) -> bool:
        return figure <= self.bound if self.is_most else figure >= self.bound


def at_most(bound: float) -> Goal:
    return Goal(bound, is_most=True)


def at_least(bound: float) -> Goal:
    return Goal(bound, is_most=False)


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that this share of all is not above."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass
class Figures:
    """The figures by key, and what they were made of."""

    values: dict[str, float] = field(default_factory=dict)
    distributions: dict[str, dict[str, float]] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)

    def set(self, key: str, value: float) -> None:
        self.values[key] = round(value, 3)

    def observe(self, name: str, samples: Sequence[float]) -> float:
        """Keep a distribution; returns its median."""
        if not samples:
            raise BenchmarkError(f"{name} has no samples")
        self.distributions[name] = {
            "n": len(samples),
            "min": round(min(samples), 3),
            "p50": round(statistics.median(samples), 3),
            "p90": round(percentile(samples, 0.9), 3),
            "p99": round(percentile(samples, 0.99), 3),
            "max": round(max(samples), 3),
        }
        return statistics.median(samples)

    def document(self, goals: Mapping[str, Goal | None], **about: object) -> dict[str, object]:
        reached = {
            key: goal.is_reached(self.values[key])
            for key, goal in goals.items()
            if goal is not None and key in self.values
        }
        return {
            **self.values,
            "goals": {key: str(goal) for key, goal in goals.items() if goal is not None},
            "reached": reached,
            "distributions": self.distributions,
            "details": self.details,
            "machine": machine(),
            **about,
        }


def machine() -> dict[str, object]:
    """What the figures were measured on; its speed now, for one machine is not always as fast."""
    loop = timeit.repeat("sum(range(1_000_000))", number=1, repeat=5)
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "python_sum_of_million_ms": round(1000 * min(loop), 1),
    }


def write(path: Path, document: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def print_table(rows: Iterable[tuple[str, float, Goal | None]]) -> None:
    """Print key, figure, goal and whether it is reached."""
    table = Table("key", "figure", "goal", "reached?")
    for column in (1, 2):
        table.columns[column].justify = "right"
    for key, figure, goal in rows:
        verdict = "" if goal is None else "yes" if goal.is_reached(figure) else "[bold red]NO"
        table.add_row(key, f"{figure:g}", "" if goal is None else str(goal), verdict)
    Console().print(table)
