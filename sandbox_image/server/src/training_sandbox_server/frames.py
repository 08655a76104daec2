"""Reading and writing frames with asyncio."""

import asyncio
import socket

from training_sandbox_worker import wire

DISCONNECTED = (asyncio.IncompleteReadError, ConnectionError)
"""What reading or writing raises when the other end is gone."""


async def read(reader: asyncio.StreamReader) -> wire.Frame:
    """Read one frame.

    Raises:
        wire.WireError: What came is no frame.
        asyncio.IncompleteReadError, ConnectionError: The other end is gone.
    """
    header = await reader.readexactly(wire.HEADER_BYTES)
    return wire.decode(await reader.readexactly(wire.payload_length(header)))


async def write(writer: asyncio.StreamWriter, frame: wire.Frame) -> None:
    """Write one frame.

    Raises:
        wire.WireError: The frame has no wire form.
        ConnectionError: The other end is gone.
    """
    writer.write(wire.encode(frame))
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
