"""What the operator does under load: claims, cold starts, 10,000 instances, deadlines.

`make bench-operator` writes build/bench/operator.json. The control plane is real, its nodes are
kwok's, and everything, the operator and the load too, is on this machine. With --quick everything
is a tenth as large.
"""

import argparse
import asyncio
import signal
from pathlib import Path

import aiohttp
from rich.console import Console

from benchmarks import operator_measures as measures
from benchmarks.bare_claims import measure_bare_claims
from benchmarks.control_plane import Api, control_plane, free_port
from benchmarks.figures import Figures, Goal, at_least, at_most, print_table, write
from benchmarks.hand_over import measure_hand_over

RESULT = Path("build/bench/operator.json")
GOALS: dict[str, Goal | None] = {
    "claim_ms_p50": at_most(50),
    "claim_ms_p90": at_most(120),
    "claim_ms_p99": at_most(250),
    "claims_per_s_max": at_least(150),
    "claims_per_s_bare": None,
    "ready_lag_ms_p50": at_most(50),
    "ready_lag_ms_p99": at_most(500),
    "cold_start_s_10k": at_most(15),
    "startup_writes_10k": at_most(0),
    "rss_mb_10k": at_most(300),
    "idle_cpu_10k": at_most(0.05),
    "ttl_late_s_p99": at_most(2),
    "handover_sigkill_s": at_most(15),
    "handover_sigterm_s": at_most(2),
}
PARTS = ("claims", "rate", "bare", "ready", "hand-over", "many", "ttl")
_CATALOGUE = "environments: {bench: {image: bench, startupSeconds: 600}}\n"


async def run(parts: list[str], figures: Figures, *, quick: bool) -> None:
    scale = 0.1 if quick else 1
    async with (
        control_plane() as plane,
        # Few that stay: a handshake costs the API server as much as half a request.
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=600)
        ) as http,
    ):
        api = Api(plane, http)
        await api.install_crds()
        await api.add_nodes(100)
        namespace = {"metadata": {"name": measures.NAMESPACE}}
        await api.call("POST", "api/v1/namespaces", namespace)
        catalogue = plane.folder / "catalogue.yaml"
        catalogue.write_text(_CATALOGUE)
        operator = measures.Operator(plane, catalogue, free_port())
        operator.start()
        await operator.until_healthy(http)
        if "claims" in parts:
            _tell(f"claims, {75 * scale:g} a second")
            await measures.measure_claims(
                plane, api, figures, pool=int(1050 * scale), rate=75 * scale
            )
        if "rate" in parts:
            _tell("claims, at higher and higher rates")
            rates = [rate * scale for rate in (25, 50, 75, 100, 125, 150, 175, 200, 250)]
            await measures.measure_claim_rate(api, figures, rates=rates)
        if "bare" in parts:
            _tell("the writes of claims, without an operator")
            await measure_bare_claims(api, operator, figures, int(1000 * scale))
            operator.start()
            await operator.until_healthy(http)
        if {"claims", "rate"} & set(parts):
            await measures.begin_anew(api)
        if "ready" in parts:
            _tell(f"cold starts, {100 * scale:g} a second")
            await measures.measure_ready_lag(api, figures, rate=100 * scale, seconds=10)
            await measures.delete_instances(api)
        if "hand-over" in parts:
            _tell("the leader of two operators is killed, and ended")
            operator.stop()
            await measure_hand_over(
                api, plane, http, figures, catalogue=catalogue, ports=(free_port(), free_port())
            )
            operator.start()
            await operator.until_healthy(http)
        if {"many", "ttl"} & set(parts):
            _tell(f"{10_000 * scale:,.0f} instances are made ready, some twenty a second")
            await measures.prepare_many(api, int(10_000 * scale))
        if "many" in parts:
            _tell("a start of the operator, and two minutes in which nothing happens")
            await measures.measure_many(api, http, operator, figures, count=int(10_000 * scale))
        if "ttl" in parts:
            _tell(f"{2_000 * scale:,.0f} instances end within a minute")
            await measures.measure_ttl(api, figures, due=int(2_000 * scale), within=60)


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
