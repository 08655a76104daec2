"""What the server is told of a process that is gone, on the event loop that it runs on."""

import asyncio
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest
import uvloop

from training_sandbox_server.child_process import ChildProcess, ProcessGoneError
from training_sandbox_server.forker import ForkedProcess
from training_sandbox_server.reaper import ChildReaper


def leave(theirs: socket.socket) -> None:
    theirs.close()


def read_no_more(theirs: socket.socket) -> None:
    theirs.shutdown(socket.SHUT_RD)


async def lose(child: ChildProcess, theirs: socket.socket) -> None:
    """Have the process leave a frame unread."""
    await child.tell({"kind": "save"})
    theirs.close()


async def child_of(channel: socket.socket) -> ChildProcess:
    exited: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def kill() -> None:
        if not exited.done():
            exited.set_result(-signal.SIGKILL)

    channel.setblocking(False)
    return await ChildProcess.of(ForkedProcess(1, channel, kill, exited))


async def refuse_again_and_again(child: ChildProcess) -> None:
    for _ in range(3):
        with pytest.raises(ProcessGoneError):
            await child.request({"kind": "save"}, 60)
    await child.close()
    assert child.exited.done()


@pytest.mark.parametrize("go", [leave, read_no_more])
def test_a_process_that_does_not_listen_is_gone_however_often_it_is_asked(
    go: Callable[[socket.socket], None],
) -> None:
    async def ask() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            child = await child_of(ours)
            go(theirs)
            await refuse_again_and_again(child)

    uvloop.run(ask())


def test_a_process_that_has_left_a_frame_unread_is_gone_however_often_it_is_asked() -> None:
    async def ask() -> None:
        ours, theirs = socket.socketpair()
        child = await child_of(ours)
        await lose(child, theirs)
        await refuse_again_and_again(child)

    uvloop.run(ask())


@pytest.fixture
def signal_of_children() -> Iterator[None]:
    before = signal.getsignal(signal.SIGCHLD)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.usefixtures("signal_of_children")
def test_a_child_that_ends_after_the_event_loop_disturbs_nobody() -> None:
    async def begin() -> None:
        ChildReaper()

    uvloop.run(begin())
    assert subprocess.run(["true"], check=False).returncode == 0
