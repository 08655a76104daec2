"""However a program ends, its TrainingInstance goes with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.client.support.stub_cluster import StubCluster

PLAYING = """
from training_sandbox import TrainingSandbox
with TrainingSandbox(name="mine") as box:
    print("playing", flush=True)
    import time; time.sleep(60)
"""
WITHOUT_A_BLOCK = """
from training_sandbox import TrainingSandbox
box = TrainingSandbox(name="mine")
box.get_env_profile()
print("playing", flush=True)
import time; time.sleep(60)
"""
PLAYING_ASYNCHRONOUSLY = """
import asyncio
from training_sandbox import AsyncTrainingSandbox
async def main():
    async with AsyncTrainingSandbox(name="mine"):
        print("playing", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
WAITING = """
import threading
from training_sandbox import TrainingSandbox
print("playing", flush=True)
with TrainingSandbox(name="mine"):
    pass
"""
FORGETTING = """
from training_sandbox import TrainingSandbox
box = TrainingSandbox(name="mine")
box.get_env_profile()
"""


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Programs:
    """Python programs, each ended with the test."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []

    def start(self, code: str) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A test run in the background ignores SIGINT, and its children would as well.
            preexec_fn=_heed_interrupts,  # noqa: PLW1509 (it only sets a signal)
        )
        self._running.append(program)
        return program

    def end(self) -> None:
        for program in self._running:
            program.kill()
            program.communicate()


@pytest.fixture
def programs() -> Iterator[Programs]:
    running = Programs()
    yield running
    running.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "code",
    [PLAYING, WITHOUT_A_BLOCK, PLAYING_ASYNCHRONOUSLY],
    ids=["block", "no block", "asynchronous"],
)
def test_a_signal_deletes_the_instance(
    cluster: StubCluster, programs: Programs, code: str, number: signal.Signals
) -> None:
    program = programs.start(code)
    assert program.stdout.readline() == "playing\n"
    assert "mine" in cluster.objects
    program.send_signal(number)
    program.communicate()
    assert program.returncode in (130, -signal.SIGINT, 143)
    assert not cluster.objects


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_during_the_wait_deletes_the_instance(
    cluster: StubCluster, programs: Programs, number: signal.Signals
) -> None:
    cluster.reconcile = lambda resource: cluster.status(resource, "Pending", "False", "Scheduling")
    program = programs.start(WAITING)
    await cluster.until_created()
    program.send_signal(number)
    program.communicate()
    assert not cluster.objects


def test_a_program_that_ends_without_closing_deletes_the_instance(
    cluster: StubCluster, programs: Programs
) -> None:
    program = programs.start(FORGETTING)
    _, errors = program.communicate()
    assert (program.returncode, errors) == (0, "")
    assert not cluster.objects


def test_an_instance_that_cannot_be_deleted_is_named(
    cluster: StubCluster, programs: Programs
) -> None:
    program = programs.start(PLAYING)
    assert program.stdout.readline() == "playing\n"
    cluster.refuses_deletions = True
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate()
    assert "TrainingInstance mine could not be deleted" in errors
    assert "tsb delete mine" in errors
