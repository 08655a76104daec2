"""An instance that the operator before this one made goes on as if nothing had happened.

The fixture is what release 0.1 stored, with overrides that have to be allowed since.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.operator import builders as build
from tests.operator.conftest import Clock, Loop
from tests.operator.fake_cluster import FakeCluster
from training_sandbox_operator.decisions.pod_spec import build_pod
from training_sandbox_operator.model.catalogue import parse_catalogue

FIXTURE = Path(__file__).parent / "fixtures" / "release_0_1.json"


@pytest.fixture
def stored() -> dict[str, Any]:
    return json.loads(FIXTURE.read_text())


@pytest.fixture
def upgraded(
    stored: dict[str, Any],
    cluster: FakeCluster,
    catalogue_path: Path,
    clock: Clock,
    start_operator: Callable[[], Loop],
) -> Loop:
    """This operator's first look at what the one before has left, with its catalogue."""
    catalogue_path.write_text(stored["catalogue"])
    for kind, name in (("traininginstances", "instance"), ("pods", "pod")):
        metadata = stored[name]["metadata"]
        cluster.objects[kind, "research", metadata["name"]] = stored[name]
    clock.advance(60)
    return start_operator()


async def test_it_is_not_touched(upgraded: Loop, cluster: FakeCluster) -> None:
    await upgraded.settle()
    assert cluster.writes == []


async def test_it_is_collected_in_time(upgraded: Loop, cluster: FakeCluster, clock: Clock) -> None:
    await upgraded.settle()
    clock.advance(14400)
    await upgraded.work()
    assert cluster.of_kind("traininginstances") == []


async def test_it_fails_when_its_pod_is_gone(upgraded: Loop, cluster: FakeCluster) -> None:
    cluster.remove("pods", "demo-0f1e2d3c")
    await upgraded.settle()
    assert cluster.only("traininginstances")["status"]["phase"] == "Failed"
    assert cluster.of_kind("pods") == []


def test_a_pod_is_made_as_before(stored: dict[str, Any]) -> None:
    """But for the limit of memory, which a spec could do without, who may call its server, and
    where that counts its starts."""
    environment = parse_catalogue(stored["catalogue"]).get("appworld")
    assert environment is not None
    spec = stored["instance"]["spec"]
    after = build_pod(build.instance(**spec), environment)["spec"]
    before = stored["pod"]["spec"]
    (container,) = after["containers"]
    container["resources"] = before["containers"][0]["resources"]
    new = {"SANDBOX_AUTH", "SANDBOX_STARTS_DIR"}
    container["env"] = [one for one in container["env"] if one["name"] not in new]
    for things in (container["volumeMounts"], after["volumes"]):
        things[:] = [one for one in things if one["name"] != "start-counter"]
    assert {**after, "nodeName": "worker-1"} == before
