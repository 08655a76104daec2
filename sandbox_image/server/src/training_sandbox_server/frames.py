"""Reading and writing frames with asyncio."""

import asyncio
import re
import socket

from training_sandbox_worker import wire

DISCONNECTED = (asyncio.IncompleteReadError, ConnectionError)
"""What reading or writing raises when the other end is gone."""


_MOST_VALUES = 10_000
"""What an answer holds is in a few strings. Five million empty lists are as many bytes as one long
string, but would stop all of the server for three seconds."""

# To the end where it does not end: what follows is not looked through once more.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


async def read(reader: asyncio.StreamReader, *, of_any_number: bool = False) -> wire.Frame:
    """Read one frame.

    Args:
        reader: Where from.
        of_any_number: Whether it may hold more than 10,000 values: not when agent code may have
            written it.

    Raises:
        wire.WireError: What came is no frame.
        asyncio.IncompleteReadError, ConnectionError: The other end is gone.
    """
    header = await reader.readexactly(wire.HEADER_BYTES)
    payload = await reader.readexactly(wire.payload_length(header))
    if not of_any_number:
        _refuse_many_values(payload)
    return wire.decode(payload)


async def write(writer: asyncio.StreamWriter, frame: wire.Frame) -> None:
    """Write one frame.

    Raises:
        wire.WireError: The frame has no wire form.
        ConnectionError: The other end is gone.
    """
    await write_encoded(writer, wire.encode(frame))


async def write_encoded(writer: asyncio.StreamWriter, content: bytes) -> None:
    """Write what has been a frame.

    Raises:
        ConnectionError: The other end is gone.
    """
    # On a transport that was lost uvloop raises RuntimeError, and writes nothing.
    if writer.is_closing():
        raise ConnectionResetError("the other end is gone")
    writer.write(content)
    await writer.drain()


async def send_short(control: socket.socket, frame: wire.Frame, *descriptors: int) -> None:
    """Write one short frame to a non-blocking Unix socket, with file descriptors.

    asyncio's own streams cannot pass descriptors. A Unix socket takes a write this short as a
    whole or not at all.

    Raises:
        ConnectionError: The other end is gone.
    """
    content = wire.encode(frame)
    while True:
        try:
            socket.send_fds(control, [content], descriptors)
        except BlockingIOError:
            await _writable(control)
        else:
            return


async def _writable(control: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    writable = loop.create_future()
    loop.add_writer(control, writable.set_result, None)
    try:
        await writable
    finally:
        loop.remove_writer(control)


def _refuse_many_values(payload: bytes) -> None:
    if _beginnings(payload, 0, len(payload)) <= _MOST_VALUES:
        return
    values = end = 0
    for string in _STRING.finditer(payload):
        values += 1 + _beginnings(payload, end, string.start())
        end = string.end()
        if values > _MOST_VALUES:
            break
    if values + _beginnings(payload, end, len(payload)) > _MOST_VALUES:
        raise wire.WireError(f"a frame holds more than {_MOST_VALUES} values")


def _beginnings(payload: bytes, start: int, end: int) -> int:
    """How many values, at most, begin in a part without strings."""
    return sum(payload.count(sign, start, end) for sign in (b",", b"[", b"{"))
