import json
import os
import socket
import struct
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_sandbox_worker import wire

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture
def channel():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@settings(max_examples=50)
@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_a_frame_is_read_as_it_was_written(frame):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.send(ours, frame)
        assert wire.receive(theirs) == frame


def test_frames_keep_their_order_and_their_bounds(channel):
    ours, theirs = channel
    for number in range(3):
        wire.send(ours, {"kind": "step", "index": number})
    assert [wire.receive(theirs)["index"] for _ in range(3)] == [0, 1, 2]


def test_a_frame_larger_than_the_sockets_buffer_arrives_whole(channel):
    ours, theirs = channel
    frame = {"kind": "step", "text": "x" * 4_000_000}
    sender = threading.Thread(target=wire.send, args=(ours, frame))
    sender.start()
    assert wire.receive(theirs) == frame
    sender.join()


def test_the_end_of_the_other_side_is_none(channel):
    ours, theirs = channel
    ours.close()
    assert wire.receive(theirs) is None


@pytest.mark.parametrize(
    "content",
    [
        b"\x00",
        b"\x00\x00\x00\x05{}",
        struct.pack("!I", wire.MAX_FRAME_BYTES + 1),
        b"\x00\x00\x00\x02[]",
        b"\x00\x00\x00\x01{",
        b"\x00\x00\x00\x01\xff",
        struct.pack("!I", 200_000) + b"[" * 200_000,
    ],
)
def test_what_is_no_frame_is_an_error(channel, content):
    ours, theirs = channel
    threading.Thread(target=lambda: (ours.sendall(content), ours.close())).start()
    with pytest.raises(wire.WireError):
        wire.receive(theirs)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), "x" * (wire.MAX_FRAME_BYTES + 1)]
)
def test_what_has_no_wire_form_is_not_written(channel, value):
    ours, theirs = channel
    with pytest.raises(wire.WireError):
        wire.send(ours, {"kind": "step", "value": value})
    ours.close()
    assert wire.receive(theirs) is None


def test_a_descriptor_arrives_with_its_frame(channel, tmp_path):
    ours, theirs = channel
    ours.send(wire.encode({"kind": "ping"}))
    with open(tmp_path / "passed", "w") as file:
        socket.send_fds(ours, [wire.encode({"kind": "fork"})], [file.fileno()])
    assert wire.receive_with_descriptors(theirs) == ({"kind": "ping"}, ())
    frame, (descriptor,) = wire.receive_with_descriptors(theirs)
    assert frame == {"kind": "fork"}
    assert not os.get_inheritable(descriptor)
    os.write(descriptor, b"through the socket")
    os.close(descriptor)
    assert (tmp_path / "passed").read_text() == "through the socket"


def test_a_field_is_checked_to_be_of_its_type():
    frame = {"kind": "step", "index": 3}
    assert wire.field(frame, "index", int) == 3
    for name in ("missing", "kind"):
        with pytest.raises(wire.WireError, match=name):
            wire.field(frame, name, int)


def test_the_bytes_are_a_big_endian_length_and_json():
    content = wire.encode({"kind": "ping"})
    assert content[:4] == (len(content) - 4).to_bytes(4, "big")
    assert json.loads(content[4:]) == {"kind": "ping"}


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(constant):
    with pytest.raises(wire.WireError, match=constant):
        wire.decode(b'{"kind": "reward", "reward": ' + constant.encode() + b"}")


@given(st.binary())
def test_bytes_survive_as_a_field(content):
    assert wire.content({"kind": "saved", "state": wire.text(content)}, "state") == content


@pytest.mark.parametrize("state", ["not base64!", 3, None])
def test_a_field_that_carries_no_bytes_is_refused(state):
    with pytest.raises(wire.WireError, match="state"):
        wire.content({"kind": "saved", "state": state}, "state")
