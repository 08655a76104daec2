"""The server's side of a fork server that does not read."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator

import pytest

from training_sandbox_server.forker import Forker, ForkError
from training_sandbox_server.zygote_client import Zygote
from training_sandbox_worker import wire


@pytest.fixture
def channel() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end, full, and the fork server's, which nobody has read from."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        while True:
            try:
                ours.send(wire.encode({"kind": "ping"}))
            except BlockingIOError:
                break
        yield ours, theirs


async def test_a_process_that_could_not_be_asked_for_is_not_waited_for(channel):
    forker = Forker("stuck", channel[0])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(forker.fork(), 0.01)
    assert forker.children == 0


@contextlib.contextmanager
def no_descriptors_left() -> Iterator[None]:
    """This process cannot open anything; not even pytest can, so not for a whole test."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_without_descriptors_there_is_no_process_and_none_is_waited_for(channel):
    forker = Forker("any", channel[0])
    with pytest.raises(ForkError, match="Too many open files"), no_descriptors_left():
        await forker.fork()
    assert forker.children == 0


async def test_without_descriptors_an_episode_does_not_fork(channel):
    zygote = Zygote(channel[0], 0, asyncio.get_running_loop().create_future())
    with pytest.raises(ForkError, match="Too many open files"), no_descriptors_left():
        await zygote.branch(0, 2)
    assert zygote.children == 0


async def test_a_ping_that_could_not_be_sent_does_not_take_the_answer_to_the_next(channel):
    ours, theirs = channel
    forker = Forker("stuck", ours)
    assert not await forker.ping(0.01)
    theirs.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while theirs.recv(1 << 20):
            pass
    forker.listen(*await asyncio.open_unix_connection(sock=ours.dup()))
    answered = asyncio.create_task(forker.ping(10))
    await asyncio.sleep(0)
    theirs.send(wire.encode({"kind": "pong"}))
    assert await answered
