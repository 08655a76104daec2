"""What is left to a process in a jail, and what it may take."""

import ctypes
import errno
import os
import resource
import socket
import threading
from pathlib import Path

import pytest

libc = ctypes.CDLL(None, use_errno=True)
MEBIBYTE = 1 << 20


@pytest.fixture
def secret(tmp_path) -> Path:
    """A file that no jail names by itself."""
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "secret"
    file.write_text("truth")
    return file


def test_what_it_may_read_it_can_read_and_not_write(prepare, run_in, secret):
    jail = prepare(readable=[secret.parent])
    assert run_in(jail, secret.read_text).returned == "truth"
    assert run_in(jail, lambda: os.listdir(secret.parent)).returned == ["secret"]
    assert run_in(jail, lambda: secret.write_text("lie")).raised == "PermissionError"
    assert run_in(jail, secret.unlink).raised == "PermissionError"


def test_a_file_alone_can_be_readable(prepare, run_in, secret):
    jail = prepare(readable=[secret])
    assert run_in(jail, secret.read_text).returned == "truth"
    assert run_in(jail, lambda: os.listdir(secret.parent)).raised == "PermissionError"


def test_a_link_does_not_lead_out(prepare, run_in, secret, tmp_path):
    folder = tmp_path / "readable"
    folder.mkdir()
    (folder / "link").symlink_to(secret)
    jail = prepare(readable=[folder])
    assert run_in(jail, (folder / "link").read_text).raised == "PermissionError"
    dotted = folder / ".." / "folder" / "secret"
    assert run_in(jail, dotted.read_text).raised == "PermissionError"


def test_readable_paths_that_do_not_exist_are_left_out(prepare, run_in, tmp_path):
    jail = prepare(readable=[tmp_path / "missing", Path("/etc/passwd/below")])
    assert run_in(jail, lambda: "entered").returned == "entered"


def test_the_working_directory_is_not_readable(secret, run_in, prepare, monkeypatch):
    monkeypatch.chdir(secret.parent)
    monkeypatch.syspath_prepend(str(secret.parent))
    assert run_in(prepare(), secret.read_text).raised == "PermissionError"


def test_nothing_is_written_even_to_an_open_file(in_jail, in_child, tmp_path):
    with open(tmp_path / "file", "wb") as file:

        def _write():
            return os.write(file.fileno(), b"content")

        assert in_jail(_write, keep=[file.fileno()]).errno == errno.EFBIG
        assert in_child(_write).returned == 7


def test_inherited_descriptors_are_dead_but_taken(in_jail, in_child, secret):
    with open(secret, "rb") as file, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        inherited = (file.fileno(), listening.fileno())

        def _look():
            read = os.pread(file.fileno(), 5, 0) if os.fstat(file.fileno()).st_size else b""
            return read, [os.readlink(f"/proc/self/fd/{number}") for number in inherited]

        assert in_jail(_look).returned == (b"", ["/dev/null", "/dev/null"])
        read, names = in_child(_look).returned
        assert (read, "/dev/null" in names) == (b"truth", False)


def test_closing_an_inherited_object_closes_nothing_of_the_jails(in_jail, secret):
    with open(secret, "rb") as file:

        def _close_and_send():
            ours, theirs = socket.socketpair()
            file.close()
            ours.send(b"alive")
            return theirs.recv(5)

        assert in_jail(_close_and_send).returned == b"alive"


def test_no_descriptor_of_the_jail_is_left(in_jail):
    """A ruleset could not widen what is allowed, but it is nobody's business."""

    def _names():
        named = set()
        for number in range(3, 200):
            try:
                named.add(os.readlink(f"/proc/self/fd/{number}").partition(":")[0])
            except OSError:
                continue
        return named

    assert in_jail(_names).returned == {"/dev/null", "pipe"}


def test_descriptors_run_out(in_jail, in_child):
    def _take():
        for count in range(3000):
            try:
                os.dup(0)
            except OSError:
                return count
        return None

    # Numbers that were free among the inherited ones can be taken as well.
    highest = max(map(int, os.listdir("/proc/self/fd")))
    assert 256 <= in_jail(_take).returned <= 260 + highest
    assert in_child(_take).returned is None


def test_a_memory_bomb_is_a_memory_error_and_the_process_goes_on(prepare, run_in, in_child):
    def _bomb():
        try:
            bytearray(512 * MEBIBYTE)
        except MemoryError:
            return len(bytearray(32 * MEBIBYTE))
        return None

    jail = prepare(memory_bytes=256 * MEBIBYTE)
    assert run_in(jail, _bomb).returned == 32 * MEBIBYTE
    assert in_child(_bomb).returned is None


def test_many_small_pieces_are_a_memory_error_too(prepare, run_in):
    def _bomb():
        pieces = []
        try:
            while True:
                pieces.append(bytes(65536))
        except MemoryError:
            count = len(pieces)
            pieces.clear()
        return count * 65536 // MEBIBYTE

    # What is free in the heap of the tests' own process comes on top of what may be mapped.
    assert 384 <= run_in(prepare(memory_bytes=512 * MEBIBYTE), _bomb).returned <= 768


def test_memory_of_before_is_given(prepare, run_in):
    ballast = bytearray(128 * MEBIBYTE)
    jail = prepare(memory_bytes=64 * MEBIBYTE)
    assert run_in(jail, lambda: len(bytearray(32 * MEBIBYTE))).returned == 32 * MEBIBYTE
    assert len(ballast) == 128 * MEBIBYTE


@pytest.mark.parametrize(
    ("name", "value"),
    [("FSIZE", 0), ("CORE", 0), ("MEMLOCK", 0), ("MSGQUEUE", 0)],
)
def test_what_it_never_needs_is_limited_to_nothing(name, value, in_jail):
    number = getattr(resource, f"RLIMIT_{name}")
    assert in_jail(lambda: resource.getrlimit(number)).returned == (value, value)


@pytest.mark.skipif(os.geteuid() != 0, reason="others have none to begin with")
def test_root_has_no_capabilities(in_jail, in_child):
    def _effective():
        header = (ctypes.c_uint32 * 2)(0x2008_0522, 0)
        data = (ctypes.c_uint32 * 6)()
        assert libc.capget(header, data) == 0
        return data[0] != 0

    assert in_jail(_effective).returned is False
    assert in_child(_effective).returned is True


def test_it_is_killed_first_when_memory_runs_out(prepare, run_in):
    jail = prepare(readable=[Path("/proc")])
    score = Path("/proc/self/oom_score_adj")
    assert run_in(jail, score.read_text).returned == "1000\n"


def test_abort_ends_the_process(in_jail):
    assert in_jail(os.abort).killed_by is not None


def test_its_threads_are_jailed_too(in_jail, secret):
    def _in_a_thread():
        found = []

        def _read():
            try:
                found.append(secret.read_text())
            except PermissionError:
                found.append("refused")

        thread = threading.Thread(target=_read)
        thread.start()
        thread.join()
        return found

    assert in_jail(_in_a_thread).returned == ["refused"]


def test_a_jail_can_be_entered_by_many(prepare, run_in):
    jail = prepare()
    assert [run_in(jail, lambda: "in").returned for _ in range(3)] == ["in"] * 3
