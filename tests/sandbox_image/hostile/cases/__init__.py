"""All cases that the jail holds."""

from tests.sandbox_image.hostile.case import Case
from tests.sandbox_image.hostile.cases import (
    network,
    processes,
    resources,
    siblings,
    signals,
    truth,
)

HELD_BY_THE_JAIL: list[Case] = [
    *truth.CASES,
    *siblings.CASES,
    *signals.CASES,
    *network.CASES,
    *processes.CASES,
    *resources.CASES,
]
