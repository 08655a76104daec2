"""Ordinary Python in a jail: what agent code that means no harm does."""

import asyncio
import concurrent.futures
import contextlib
import ctypes
import decimal
import hashlib
import importlib
import json
import logging
import mimetypes
import os
import platform
import random
import secrets
import select
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import uuid
import zoneinfo
from pathlib import Path

import pytest


def use_threads():
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return sum(pool.map(abs, range(-4, 0)))


def use_a_database():
    connection = sqlite3.connect(":memory:")
    connection.execute("create table numbers (number)")
    connection.executemany("insert into numbers values (?)", [(number,) for number in range(1000)])
    return connection.execute("select sum(number) from numbers").fetchone()[0]


def use_asyncio():
    async def _exchange():
        ours, theirs = socket.socketpair()
        with ours, theirs:
            reader, writer = await asyncio.open_connection(sock=ours)
            theirs.send(b"hello\n")
            line = await reader.readline()
            writer.close()
            await asyncio.to_thread(time.sleep, 0)
            return line

    return asyncio.run(_exchange())


def use_a_connected_socket():
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    ours.sendall(b"x" * 100)
    return len(theirs.recv(100))


def use_json():
    return json.loads(json.dumps({"a": [1, 2.5, None]}))["a"]


def use_random_numbers():
    return len({random.random(), random.SystemRandom().random(), secrets.token_hex(), uuid.uuid4()})


def use_the_time():
    time.sleep(0.001)
    return time.time() > 0 and time.monotonic() > 0


def use_time_zones():
    return str(zoneinfo.ZoneInfo("Europe/Berlin"))


def use_hashes():
    return hashlib.sha256(b"").hexdigest()[:8]


def use_tls_settings():
    return ssl.create_default_context().check_hostname


def use_types_of_files():
    mimetypes.init()
    return mimetypes.guess_type("a.html")[0]


def use_an_alarm():
    def _interrupt(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        time.sleep(30)
    except TimeoutError:
        return "interrupted"


def use_deep_recursion():
    def _recur():
        _recur()

    try:
        _recur()
    except RecursionError:
        return "too deep"


def use_a_traceback():
    """With lines of the source, which are read now."""
    try:
        json.loads("{")
    except ValueError:
        return "obj, end = self.scan_once(s, idx)" in traceback.format_exc()


def use_nothing():
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        print("swallowed")
    return Path(os.devnull).read_bytes()


def use_logging():
    logging.getLogger("jailed").warning("to standard error")


def use_the_platform():
    return platform.system()


def use_epoll_and_pipes():
    reader, writer = os.pipe()
    poll = select.epoll()
    poll.register(reader)
    os.write(writer, b"!")
    return poll.poll(5)[0][1] == select.EPOLLIN


def use_callbacks_of_c():
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda number: number + 1)
    return function(1)


def use_the_number_of_processors():
    return os.cpu_count() >= 1


def use_the_home_folder():
    return bool(os.path.expanduser("~"))


def use_decimals():
    return str(decimal.Decimal(1) / 8)


USES = {
    use_threads: 10,
    use_a_database: 499500,
    use_asyncio: b"hello\n",
    use_a_connected_socket: 100,
    use_json: [1, 2.5, None],
    use_random_numbers: 4,
    use_the_time: True,
    use_time_zones: "Europe/Berlin",
    use_hashes: "e3b0c442",
    use_tls_settings: True,
    use_types_of_files: "text/html",
    use_an_alarm: "interrupted",
    use_deep_recursion: "too deep",
    use_a_traceback: True,
    use_nothing: b"",
    use_logging: None,
    use_the_platform: "Linux",
    use_epoll_and_pipes: True,
    use_callbacks_of_c: 2,
    use_the_number_of_processors: True,
    use_the_home_folder: True,
    use_decimals: "0.125",
}


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_it_works(use, in_jail):
    outcome = in_jail(use)
    assert (outcome.raised, outcome.returned) == (None, USES[use])


@pytest.mark.parametrize("name", ["wave", "xmlrpc.client", "_lzma", "curses", "yaml"])
def test_modules_are_imported_late(name, in_jail, monkeypatch):
    """Pure ones, C ones, the standard library's, and those installed beside it."""
    monkeypatch.delitem(sys.modules, name, raising=False)
    assert in_jail(lambda: importlib.import_module(name).__name__).returned == name


def test_modules_in_editable_mode_are_imported_late(in_jail, monkeypatch):
    monkeypatch.delitem(sys.modules, "training_sandbox_worker.evaluation", raising=False)

    def _import():
        return importlib.import_module("training_sandbox_worker.evaluation").__name__

    assert in_jail(_import).raised is None


def test_a_kept_socket_can_be_written_and_read(in_jail):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.send(b"question")

        def _answer():
            theirs.sendall(theirs.recv(100) + b" answered")

        assert in_jail(_answer, keep=[theirs.fileno()]).raised is None
        assert ours.recv(100) == b"question answered"


@pytest.mark.parametrize(
    "refused",
    [
        lambda: subprocess.run(["ls"], check=True),
        lambda: subprocess.run("ls", check=True, shell=True),
        lambda: socket.create_connection(("127.0.0.1", 80)),
        lambda: Path("/etc/shadow").read_text(),
        lambda: Path.cwd().iterdir().__next__(),
        os.fork,
    ],
)
def test_what_is_refused_is_a_permission_error(refused, in_jail):
    assert in_jail(refused).raised == "PermissionError"


def test_there_is_no_temporary_folder(in_jail, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert in_jail(tempfile.mkdtemp).raised in {"FileNotFoundError", "PermissionError"}
