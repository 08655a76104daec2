"""The zygote, driven over its control socket as the server does it."""

import os
import signal
import socket

import psutil
import pytest

from training_sandbox_worker import wire

COUNTER = "counter_environment:CounterEnvironment"


def test_it_says_what_its_environment_has(start_zygote):
    hello = start_zygote().hear()
    assert hello["environment"] == "counter"
    assert hello["splits"]["dev"] == ["count-to-3"]
    assert hello["tools"].startswith("add N")


@pytest.mark.parametrize(
    ("name", "environ", "unknown"),
    [("chess", {}, True), (COUNTER, {"COUNTER_PRELOAD_FAILS": "1"}, False)],
)
def test_it_says_why_it_cannot_load(start_zygote, name, environ, unknown):
    zygote = start_zygote(name=name, **environ)
    frame = zygote.hear()
    zygote.close()
    assert (frame["kind"], frame["unknown"]) == ("boot_failed", unknown)
    assert frame["reason"]
    assert zygote.process.returncode == 1


def test_it_refuses_an_environment_that_leaves_threads(start_zygote, counter_environ, tmp_path):
    (tmp_path / "threaded.py").write_text(
        "import threading, time\n"
        "from counter_environment import CounterEnvironment\n"
        "class Threaded(CounterEnvironment):\n"
        "    def preload(self):\n"
        "        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n"
    )
    path = f"{tmp_path}:{counter_environ['PYTHONPATH']}"
    frame = start_zygote(name="threaded:Threaded", PYTHONPATH=path).hear()
    assert "left 2 threads" in frame["reason"]


def test_it_answers_a_ping(zygote):
    wire.send(zygote.control, {"kind": "ping"})
    assert zygote.hear() == {"kind": "pong"}


def test_an_episode_plays_in_its_process(zygote):
    zygote.open()
    answer = zygote.act(0, "add 3")
    assert answer["message"]["content"] == "3"
    assert (answer["kind"], answer["index"], answer["terminated"]) == ("observation", 0, False)


def test_an_action_that_is_none_is_answered_as_invalid(zygote):
    zygote.open()
    assert zygote.act(0, "juggle")["kind"] == "invalid"
    assert zygote.act(0, "add 1")["message"]["content"] == "1"


def test_an_exception_is_answered_in_one_line(zygote):
    zygote.open()
    answer = zygote.act(0, "raise out of eggs")
    assert answer["kind"] == "failed"
    assert answer["reason"].startswith("RuntimeError: out of eggs (counter_environment.py:")


def test_the_last_observation_alone_carries_what_would_be_saved(zygote):
    zygote.open()
    assert "state" not in zygote.act(0, "add 5")
    state = zygote.act(0, "done")["state"]
    assert state == zygote.ask(0, kind="save")["state"]


def test_a_large_state_is_left_to_be_asked_for(zygote):
    zygote.open()
    zygote.act(0, "spoil " + "x" * (4 << 20))
    last = zygote.act(0, "done")
    assert (last["kind"], "state" in last) == ("observation", False)
    assert len(zygote.ask(0, kind="save")["state"]) > 4 << 20


def test_an_evaluation_answers_once_and_ends(zygote):
    zygote.open(0)
    zygote.act(0, "add 5")
    saved = zygote.ask(0, kind="save")
    zygote.fork(1)
    answer = zygote.ask(
        1,
        kind="evaluate",
        task={"task_id": "count-to-10", "params": {}},
        state=saved["state"],
        sparse=False,
    )
    assert answer == {"kind": "reward", "reward": 0.5}
    assert zygote.hear() == {"kind": "exited", "process": 1, "code": 0}


def test_a_closed_episode_ends(zygote):
    zygote.open()
    wire.send(zygote.channels[0], {"kind": "close"})
    assert zygote.hear() == {"kind": "exited", "process": 0, "code": 0}


def test_an_episode_ends_when_its_channel_is_closed(zygote):
    zygote.open()
    zygote.channels[0].close()
    assert zygote.hear() == {"kind": "exited", "process": 0, "code": 0}


def test_a_killed_process_is_reported_once(zygote):
    zygote.open()
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


def test_a_process_leads_its_own_session_and_group(zygote):
    pid = zygote.open()
    assert os.getsid(pid) == os.getpgid(pid) == pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_does_not_inherit_how_the_zygote_handles_signals(zygote, number):
    os.kill(zygote.open(), number)
    assert zygote.hear() == {"kind": "exited", "process": 0, "code": -number}


def test_no_process_is_left_of_one_that_was_killed_nor_a_zombie(lax_zygote, wait_until):
    for number in range(5):
        lax_zygote.open(number)
        lax_zygote.act(number, "spawn-daemon 3600")
        lax_zygote.kill(number)
        lax_zygote.hear()
    # What was killed takes a moment to end.
    wait_until(lambda: psutil.Process(lax_zygote.process.pid).children(recursive=True) == [])


@pytest.mark.parametrize("end", ["close", "terminate", "kill"])
def test_its_end_is_the_end_of_all_its_processes(lax_zygote, end, wait_until):
    lax_zygote.open(0)
    grandchild = int(lax_zygote.act(0, "spawn 3600")["message"]["content"])
    player = psutil.Process(lax_zygote.open(1))
    if end == "close":
        lax_zygote.control.shutdown(socket.SHUT_RDWR)
    else:
        getattr(lax_zygote.process, end)()
    lax_zygote.process.wait(60)
    wait_until(lambda: not player.is_running())
    if end != "kill":
        assert not psutil.pid_exists(grandchild)
    else:
        psutil.Process(grandchild).kill()


def test_it_ends_on_a_frame_that_makes_no_sense(zygote):
    wire.send(zygote.control, {"kind": "dance"})
    assert zygote.hear() is None
    assert zygote.process.wait(60) == 0
