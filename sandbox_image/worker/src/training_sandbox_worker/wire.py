"""Frames between the processes of a pod.

A frame is a 4-byte big-endian length and that many bytes of a UTF-8 JSON object with a `kind`.
Both ends are blocking sockets here; the server reads and writes the same bytes with asyncio.
"""

import array
import base64
import binascii
import json
import socket
import struct
from collections.abc import Sequence
from typing import NoReturn, TypeVar, cast

Frame = dict[str, object]

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""Larger than any message that the server lets in (4 MiB) or an episode lets out (1 MiB), escaped.
"""

MAX_DESCRIPTORS = 253
"""As many as Linux passes with one message."""

_HEADER = struct.Struct("!I")
HEADER_BYTES = _HEADER.size

_Field = TypeVar("_Field")


class WireError(Exception):
    """What was received is no frame, or what was to be sent cannot be one."""


def encode(frame: Frame) -> bytes:
    """The bytes of a frame.

    Raises:
        WireError: A value has no JSON form (NaN and infinities have none), or the frame would be
            larger than `MAX_FRAME_BYTES`.
    """
    try:
        payload = _ENCODER.encode(frame).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(f"a {frame.get('kind')} frame cannot be written: {error}") from error
    if len(payload) > MAX_FRAME_BYTES:
        raise WireError(f"a {frame.get('kind')} frame of {len(payload)} bytes is too large")
    return _HEADER.pack(len(payload)) + payload


def payload_length(header: bytes) -> int:
    """The number of bytes that follow a header.

    Raises:
        WireError: More than `MAX_FRAME_BYTES`.
    """
    (length,) = cast("tuple[int]", _HEADER.unpack(header))
    if length > MAX_FRAME_BYTES:
        raise WireError(f"a frame of {length} bytes is too large")
    return length


def decode(payload: bytes) -> Frame:
    """The frame in the bytes after a header.

    Raises:
        WireError: The bytes are no JSON object.
    """
    try:
        frame: object = _DECODER.decode(payload.decode())
    except (ValueError, RecursionError) as error:
        raise WireError(f"a frame is not JSON: {error}") from error
    if not isinstance(frame, dict):
        raise WireError("a frame is not a JSON object")
    return cast("Frame", frame)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


# Made once: json.loads and json.dumps make new ones for each call with options.
_DECODER = json.JSONDecoder(parse_constant=_refuse)
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def field(frame: Frame, name: str, kind: type[_Field]) -> _Field:
    """One field of a frame, checked to be of a type.

    Raises:
        WireError: The field is missing or of another type.
    """
    value = frame.get(name)
    if not isinstance(value, kind):
        raise WireError(f"a {frame.get('kind')} frame has no {kind.__name__} {name!r}")
    return value


def mapping(frame: Frame, name: str) -> dict[str, object]:
    """One field of a frame, checked to be an object.

    Raises:
        WireError: The field is missing or of another type.
    """
    return cast("dict[str, object]", field(frame, name, dict))


def content(frame: Frame, name: str) -> bytes:
    """One field of a frame that carries bytes, see `text`.

    Raises:
        WireError: The field is missing or carries none.
    """
    try:
        return base64.b64decode(field(frame, name, str), validate=True)
    except binascii.Error as error:
        raise WireError(f"{name!r} of a {frame.get('kind')} frame is not base64") from error


def text(value: bytes) -> str:
    """Bytes as a field of a frame carries them."""
    return base64.b64encode(value).decode()


def send(channel: socket.socket, frame: Frame) -> None:
    """Write one frame, all of it.

    Raises:
        WireError: See `encode`; nothing was written.
        OSError: The other end is gone.
    """
    channel.sendall(encode(frame))


def receive(channel: socket.socket) -> Frame | None:
    """Read one frame; None when the other end is closed.

    Raises:
        WireError: What came is no frame.
    """
    header = channel.recv(HEADER_BYTES)
    return _rest(channel, header) if header else None


def receive_with_descriptors(channel: socket.socket) -> tuple[Frame | None, Sequence[int]]:
    """Read one frame and the file descriptors that were passed with it (SCM_RIGHTS), if any.

    The sender attaches them to the frame's first byte, so they arrive with the header.

    Raises:
        WireError: What came is no frame.
    """
    descriptors = array.array("i")
    header, ancillary, _, _ = channel.recvmsg(
        HEADER_BYTES,
        socket.CMSG_SPACE(MAX_DESCRIPTORS * descriptors.itemsize),
        socket.MSG_CMSG_CLOEXEC,
    )
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return (_rest(channel, header) if header else None), tuple(descriptors)


def _rest(channel: socket.socket, header: bytes) -> Frame:
    header += _read_exactly(channel, HEADER_BYTES - len(header))
    return decode(_read_exactly(channel, payload_length(header)))


def _read_exactly(channel: socket.socket, size: int) -> bytes:
    content = bytearray(size)
    view = memoryview(content)
    while view:
        received = channel.recv_into(view)
        if not received:
            raise WireError("the other end closed in the middle of a frame")
        view = view[received:]
    return bytes(content)
