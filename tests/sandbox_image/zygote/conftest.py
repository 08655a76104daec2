"""Zygotes, driven over their control sockets as the server does it."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from training_sandbox_worker import wire

COUNTER = "counter_environment:CounterEnvironment"
TASK = {"task_id": "count-to-10", "params": {}}


class Zygote:
    """A zygote process and its control socket; children are named by numbers."""

    def __init__(self, environ, name=COUNTER, *options: str) -> None:
        self.control, theirs = socket.socketpair()
        self.channels: dict[int, socket.socket] = {}
        command = [sys.executable, "-P", "-m", "training_sandbox_worker", "--environment", name]
        with theirs:
            self.process = subprocess.Popen(
                [*command, "--control-fd", str(theirs.fileno()), *options],
                env=environ,
                pass_fds=[theirs.fileno()],
                stderr=subprocess.DEVNULL,
            )

    def hear(self) -> wire.Frame | None:
        return wire.receive(self.control)

    def fork(self, number: int, forker: socket.socket | None = None) -> int:
        """Fork a process from the zygote, or from a template by its channel."""
        forker = forker or self.control
        (self.channels[number],) = self.send_with_channels(forker, 1, kind="fork", process=number)
        forked = wire.receive(forker)
        assert forked is not None
        assert (forked["kind"], forked["process"]) == ("forked", number)
        return forked["pid"]

    def send_with_channels(
        self, forker: socket.socket, count: int, **frame: object
    ) -> list[socket.socket]:
        pairs = [socket.socketpair() for _ in range(count)]
        descriptors = [theirs.fileno() for _, theirs in pairs]
        socket.send_fds(forker, [wire.encode(frame)], descriptors)
        for _, theirs in pairs:
            theirs.close()
        return [ours for ours, _ in pairs]

    def branch(self, parent: int, pid: int, numbers: list[int], seeds: list[int | None]) -> None:
        """Let the playing process of a number fork; it and its branches get new channels."""
        parents, *branches = self.send_with_channels(
            self.control, len(numbers) + 1, kind="branch", pid=pid, processes=numbers
        )
        assert self.hear() == {"kind": "permitted", "pid": pid}
        for branch, seed in zip(branches, seeds, strict=True):
            wire.send(branch, {"kind": "seed", "seed": seed})
        wire.send(self.channels[parent], {"kind": "fork", "count": len(numbers)})
        self.channels |= {parent: parents, **dict(zip(numbers, branches, strict=True))}
        for number in (parent, *numbers):
            assert wire.receive(self.channels[number]) == {"kind": "forked"}
        assert [self.hear()["kind"] for _ in numbers] == ["forked"] * len(numbers)

    def kill(self, number: int) -> None:
        wire.send(self.control, {"kind": "kill", "process": number})

    def ask(self, number: int, **frame: object) -> wire.Frame | None:
        wire.send(self.channels[number], frame)
        return wire.receive(self.channels[number])

    def close(self) -> None:
        for channel in self.channels.values():
            channel.close()
        self.control.close()
        self.process.wait(60)

    def open(self, number: int = 0, forker: socket.socket | None = None) -> int:
        """Open an episode of the task in a forked process; returns its pid."""
        pid = self.fork(number, forker)
        answer = self.ask(number, kind="open", task=TASK)
        assert answer is not None
        assert answer["kind"] == "opened"
        return pid

    def act(self, number: int, action: str, index: int = 0) -> wire.Frame | None:
        message = {"role": "assistant", "content": action}
        return self.ask(number, kind="step", index=index, message=message)

    def observe(self, number: int, action: str, index: int = 0) -> str:
        return self.act(number, action, index)["message"]["content"]


@pytest.fixture
def start_zygote(counter_environ) -> Iterator[Callable[..., Zygote]]:
    """Start a zygote; what it says first is for the test to hear."""
    with contextlib.ExitStack() as stack:

        def _start(*options: str, name: str = COUNTER, **environ: str) -> Zygote:
            zygote = Zygote(counter_environ | environ, name, *options)
            stack.callback(zygote.close)
            return zygote

        yield _start


@pytest.fixture
def zygote(start_zygote) -> Zygote:
    """A zygote of the counter environment that has said hello."""
    zygote = start_zygote()
    assert zygote.hear()["kind"] == "hello"
    return zygote


@pytest.fixture
def lax_zygote(start_zygote) -> Zygote:
    """One that confines nothing: agent code can start processes."""
    zygote = start_zygote("--no-jail")
    assert zygote.hear()["kind"] == "hello"
    return zygote
