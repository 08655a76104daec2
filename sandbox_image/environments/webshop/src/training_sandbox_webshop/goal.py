"""A goal: what is wanted, and what only evaluations know of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training_sandbox_webshop.records import Records

TRUTH = "truth"
"""The folder of a catalogue that only evaluations read."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a purchase is compared with.

    Attributes:
        asin: The product that is wanted.
        attributes: That it should have.
        options: That should be chosen: values (of a goal that a person wrote), or the value of
            each option (of one that was put together).
        price_upper: What it may cost, in dollars.
    """

    asin: str
    attributes: Sequence[str]
    options: Sequence[str] | Mapping[str, str]
    price_upper: float


def encode(goal: Goal) -> bytes:
    """A goal as a record."""
    return json.dumps(asdict(goal), ensure_ascii=False).encode(errors="replace")


def read_goal(root: Path, number: int) -> Goal:
    """The goal of a number; it is read from the truth, which only evaluations may do.

    Raises:
        IndexError: There is none of this number.
    """
    fields: dict[str, Any] = json.loads(Records(root / TRUTH / "goals")[number])
    return Goal(**fields)
