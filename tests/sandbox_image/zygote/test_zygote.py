"""The zygote, driven over its control socket as the server does it."""

import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from training_sandbox_worker import wire

COUNTER = "counter_environment:CounterEnvironment"


class Zygote:
    """A zygote process and its control socket; children are named by numbers."""

    def __init__(self, environ, name=COUNTER) -> None:
        self.control, theirs = socket.socketpair()
        self.channels: dict[int, socket.socket] = {}
        command = [sys.executable, "-P", "-m", "training_sandbox_worker", "--environment", name]
        with theirs:
            self.process = subprocess.Popen(
                [*command, "--control-fd", str(theirs.fileno())],
                env=environ,
                pass_fds=[theirs.fileno()],
                stderr=subprocess.DEVNULL,
            )

    def hear(self) -> wire.Frame | None:
        return wire.receive(self.control)

    def fork(self, number: int) -> int:
        self.channels[number], theirs = socket.socketpair()
        with theirs:
            frame = wire.encode({"kind": "fork", "process": number})
            socket.send_fds(self.control, [frame], [theirs.fileno()])
        forked = self.hear()
        assert forked is not None
        assert (forked["kind"], forked["process"]) == ("forked", number)
        return forked["pid"]

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


@pytest.fixture
def zygote(counter_environ):
    zygote = Zygote(counter_environ)
    assert zygote.hear()["kind"] == "hello"
    yield zygote
    zygote.close()


@pytest.fixture
def context(tmp_path):
    directory = str(tmp_path)
    return {"episode_id": "a", "task_id": "count-to-10", "params": {}, "directory": directory}


@pytest.fixture
def play(zygote, context):
    """Open an episode in a forked process; returns its pid."""

    def _play(number: int = 0) -> int:
        pid = zygote.fork(number)
        assert zygote.ask(number, kind="open", context=context)["kind"] == "opened"
        return pid

    return _play


def act(zygote, number: int, action: str, index: int = 0) -> wire.Frame | None:
    message = {"role": "assistant", "content": action}
    return zygote.ask(number, kind="step", index=index, message=message)


def test_it_says_what_its_environment_has(counter_environ):
    zygote = Zygote(counter_environ)
    hello = zygote.hear()
    zygote.close()
    assert hello["environment"] == "counter"
    assert hello["splits"]["dev"] == ["count-to-3"]
    assert hello["tools"].startswith("add N")


@pytest.mark.parametrize(
    ("name", "environ", "unknown"),
    [("chess", {}, True), (COUNTER, {"COUNTER_PRELOAD_FAILS": "1"}, False)],
)
def test_it_says_why_it_cannot_load(counter_environ, name, environ, unknown):
    zygote = Zygote(counter_environ | environ, name)
    frame = zygote.hear()
    zygote.close()
    assert (frame["kind"], frame["unknown"]) == ("boot_failed", unknown)
    assert frame["reason"]
    assert zygote.process.returncode == 1


def test_it_refuses_an_environment_that_leaves_threads(counter_environ, tmp_path):
    (tmp_path / "threaded.py").write_text(
        "import threading, time\n"
        "from counter_environment import CounterEnvironment\n"
        "class Threaded(CounterEnvironment):\n"
        "    def preload(self):\n"
        "        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n"
    )
    path = f"{tmp_path}:{counter_environ['PYTHONPATH']}"
    zygote = Zygote(counter_environ | {"PYTHONPATH": path}, "threaded:Threaded")
    frame = zygote.hear()
    zygote.close()
    assert "left 2 threads" in frame["reason"]


def test_it_answers_a_ping(zygote):
    wire.send(zygote.control, {"kind": "ping"})
    assert zygote.hear() == {"kind": "pong"}


def test_an_episode_plays_in_its_process(zygote, play):
    play()
    answer = act(zygote, 0, "add 3")
    assert answer["message"]["content"] == "3"
    assert (answer["kind"], answer["index"], answer["terminated"]) == ("observation", 0, False)


def test_an_action_that_is_none_is_answered_as_invalid(zygote, play):
    play()
    assert act(zygote, 0, "juggle")["kind"] == "invalid"
    assert act(zygote, 0, "add 1")["message"]["content"] == "1"


def test_an_exception_is_answered_in_one_line(zygote, play):
    play()
    answer = act(zygote, 0, "raise out of eggs")
    assert answer["kind"] == "failed"
    assert answer["reason"].startswith("RuntimeError: out of eggs (counter_environment.py:")


def test_an_evaluation_answers_once_and_ends(zygote, play, context):
    play(0)
    act(zygote, 0, "add 5")
    zygote.fork(1)
    answer = zygote.ask(1, kind="evaluate", context=context, sparse=False)
    assert answer == {"kind": "reward", "reward": 0.5}
    assert zygote.hear() == {"kind": "exited", "process": 1, "code": 0}


def test_a_closed_episode_ends(zygote, play):
    play()
    wire.send(zygote.channels[0], {"kind": "close"})
    assert zygote.hear() == {"kind": "exited", "process": 0, "code": 0}


def test_an_episode_ends_when_its_channel_is_closed(zygote, play):
    play()
    zygote.channels[0].close()
    assert zygote.hear() == {"kind": "exited", "process": 0, "code": 0}


def test_a_killed_process_is_reported_once(zygote, play):
    play()
    zygote.kill(0)
    assert zygote.hear() == {"kind": "exited", "process": 0, "code": -signal.SIGKILL}
    zygote.kill(0)
    wire.send(zygote.control, {"kind": "ping"})
    assert zygote.hear() == {"kind": "pong"}


def test_processes_that_end_together_are_each_reported_once(zygote):
    pids = [zygote.fork(number) for number in range(20)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    exits = [zygote.hear() for _ in pids]
    assert sorted(frame["process"] for frame in exits) == list(range(20))
    assert {frame["code"] for frame in exits} == {-signal.SIGKILL}


def test_a_process_that_dies_before_it_has_a_job_is_reported(zygote):
    zygote.fork(0)
    zygote.channels[0].close()
    assert zygote.hear()["kind"] == "exited"


def test_a_process_leads_its_own_session_and_group(zygote, play):
    pid = play()
    assert os.getsid(pid) == os.getpgid(pid) == pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_does_not_inherit_how_the_zygote_handles_signals(zygote, play, number):
    os.kill(play(), number)
    assert zygote.hear() == {"kind": "exited", "process": 0, "code": -number}


def test_no_zombie_is_left(zygote, play):
    for number in range(5):
        play(number)
        act(zygote, number, "spawn-daemon 3600")
        zygote.kill(number)
        zygote.hear()
    wire.send(zygote.control, {"kind": "ping"})
    zygote.hear()
    assert psutil.Process(zygote.process.pid).children(recursive=True) == []


@pytest.mark.parametrize("end", ["close", "terminate", "kill"])
def test_its_end_is_the_end_of_all_its_processes(zygote, play, end, wait_until):
    play(0)
    grandchild = int(act(zygote, 0, "spawn 3600")["message"]["content"])
    player = psutil.Process(play(1))
    if end == "close":
        zygote.control.shutdown(socket.SHUT_RDWR)
    else:
        getattr(zygote.process, end)()
    zygote.process.wait(60)
    wait_until(lambda: not player.is_running())
    if end != "kill":
        assert not psutil.pid_exists(grandchild)
    else:
        psutil.Process(grandchild).kill()


def test_it_ends_on_a_frame_that_makes_no_sense(zygote):
    wire.send(zygote.control, {"kind": "dance"})
    assert zygote.hear() is None
    assert zygote.process.wait(60) == 0
