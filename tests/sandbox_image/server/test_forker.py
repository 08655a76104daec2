"""The server's side of a fork server that does not read."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest

from training_sandbox_server.forker import Forker
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
