"""What the operator does under load: claims, cold starts, 10,000 instances, deadlines.

`make bench-operator` writes build/bench/operator.json. The control plane is real, its nodes are
kwok's, and everything, the operator and the load too, is on this machine; there is a new one for
each measurement. With --quick everything is a tenth as large.
"""

import argparse
import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import operator_measures as measures
from benchmarks.bare_claims import measure_bare_claims
from benchmarks.figures import Figures, Goal, at_least, at_most, print_table, write
from benchmarks.hand_over import measure_hand_over
from benchmarks.operator_rig import Rig, operator_rig

RESULT = Path("build/bench/operator.json")
GOALS: dict[str, Goal | None] = {
    "claim_ms_p50": at_most(50),
    "claim_ms_p90": at_most(120),
    "claim_ms_p99": at_most(250),
    "claims_per_s_max": at_least(150),
    "claims_per_s_bare": None,
    "ready_lag_ms_p50": at_most(50),
    "ready_lag_ms_p99": at_most(500),
    "cold_starts_per_s": None,
    "cold_start_s_10k": at_most(15),
    "startup_writes_10k": at_most(0),
    "rss_mb_10k": at_most(300),
    "idle_cpu_10k": at_most(0.05),
    "ttl_late_s_p99": at_most(2),
    "handover_sigkill_s": at_most(15),
    "handover_sigterm_s": at_most(2),
    "handover_sigkill_s_10k": None,
    "handover_sigterm_s_10k": None,
}
PARTS = ("claims", "rate", "bare", "ready", "hand-over", "many", "ttl")
_RATES = (25, 50, 75, 100, 125, 150, 175, 200, 250)


async def run(parts: list[str], figures: Figures, *, quick: bool) -> None:
    scale = 0.1 if quick else 1
    if "claims" in parts:
        _tell(f"claims, {75 * scale:g} a second")
        async with operator_rig() as rig:
            await measures.measure_claims(rig, figures, pool=int(1050 * scale), rate=75 * scale)
    if "rate" in parts:
        await _find_rate(figures, [rate * scale for rate in _RATES])
    if "bare" in parts:
        _tell("the writes of claims, without an operator")
        async with operator_rig() as rig:
            await measure_bare_claims(rig, figures, int(1000 * scale))
    if "ready" in parts:
        _tell(f"cold starts, {100 * scale:g} a second")
        async with operator_rig() as rig:
            await measures.measure_ready_lag(rig, figures, rate=100 * scale, seconds=10)
    if "hand-over" in parts:
        _tell("the leader of two operators is killed, and ended")
        async with operator_rig() as rig:
            await measure_hand_over(rig, figures)
    if {"many", "ttl"} & set(parts):
        async with operator_rig() as rig:
            await _measure_many(rig, parts, figures, scale)


async def _find_rate(figures: Figures, rates: Sequence[float]) -> None:
    held, trials = 0.0, dict[str, float]()
    for rate in rates:
        _tell(f"claims, {rate:g} a second")
        async with operator_rig() as rig:
            if not await measures.measure_claim_rate(rig, trials, rate=rate):
                break
        held = rate
    figures.set("claims_per_s_max", held)
    figures.details["claim_ms_p99_by_rate"] = trials


async def _measure_many(rig: Rig, parts: list[str], figures: Figures, scale: float) -> None:
    count = int(10_000 * scale)
    _tell(f"{count:,} instances are made ready, some fifty a second")
    await measures.prepare_many(rig.api, count)
    if "many" in parts:
        _tell("a start of the operator, and two minutes in which nothing happens")
        await measures.measure_many(rig, figures, count=count)
        _tell("the leader of two operators is killed, and ended")
        await measure_hand_over(rig, figures, f"_{measures.suffix_of(count)}")
    if "ttl" in parts:
        _tell(f"{2_000 * scale:,.0f} instances end within a minute")
        await measures.measure_ttl(rig.api, figures, due=int(2_000 * scale), within=60)


def _tell(what: str) -> None:
    Console(stderr=True).log(what)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    options = parser.parse_args()
    # Whoever is terminated ends what it started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    figures = Figures()
    try:
        asyncio.run(run(options.only, figures, quick=options.quick))
    finally:  # what was found before a part failed is worth minutes
        write(RESULT, figures.document(GOALS, quick=options.quick))
        print_table((key, value, GOALS.get(key)) for key, value in figures.values.items())


if __name__ == "__main__":
    main()
