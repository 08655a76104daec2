"""Templates and branches: processes that are forked from a process that has the task open."""

import os
import signal

import psutil
import pytest

from training_sandbox_worker import wire

TASK = {"task_id": "count-to-10", "params": {}}


@pytest.fixture
def template(zygote):
    """The control socket of a template of the task."""
    zygote.fork(100)
    assert zygote.ask(100, kind="template", task=TASK)["kind"] == "opened"
    return zygote.channels[100]


def total(zygote, number: int, index: int) -> str:
    return zygote.observe(number, "add 0", index)


def test_episodes_of_a_template_do_not_meet(zygote, template):
    for number in range(3):
        zygote.open(number, template)
        zygote.act(number, f"add {number}")
    assert [total(zygote, number, 1) for number in range(3)] == ["0", "1", "2"]


def test_every_episode_of_a_template_gets_the_same_random_numbers(zygote, template):
    for number in range(2):
        zygote.open(number, template)
    first, second = (zygote.act(number, "random 1")["message"] for number in range(2))
    assert first == second


def test_a_task_that_a_template_cannot_open_is_answered(zygote):
    zygote.fork(100)
    answer = zygote.ask(100, kind="template", task={"task_id": "broken", "params": {}})
    assert answer["kind"] == "failed"
    assert zygote.hear() == {"kind": "exited", "process": 100, "code": 0}


def test_the_end_of_a_template_is_the_end_of_its_episodes(zygote, template, wait_until):
    pid = zygote.open(0, template)
    template.close()
    assert zygote.hear()["process"] == 100
    wait_until(lambda: not psutil.pid_exists(pid))


def test_a_killed_template_leaves_nothing(zygote, template, wait_until):
    pid = zygote.open(0, template)
    zygote.kill(100)
    assert zygote.hear() == {"kind": "exited", "process": 100, "code": -signal.SIGKILL}
    wait_until(lambda: not psutil.pid_exists(pid))


@pytest.mark.parametrize("source", ["zygote", "template"])
def test_a_branch_goes_on_from_where_its_episode_was(zygote, template, source):
    pid = zygote.open(0, template if source == "template" else None)
    zygote.act(0, "add 3")
    zygote.branch(0, pid, [1, 2], [None, None])
    zygote.act(1, "add 1", 1)
    assert [total(zygote, number, 2) for number in range(3)] == ["3", "4", "3"]


def test_a_branch_keeps_the_random_numbers_of_its_episode_or_gets_new_ones(zygote):
    pid = zygote.open()
    zygote.branch(0, pid, [1, 2, 3], [None, 7, 7])
    numbers = [zygote.observe(number, "random 1") for number in range(4)]
    assert numbers[0] == numbers[1] != numbers[2] == numbers[3]


def test_a_branch_outlives_its_episode_and_forks_itself(zygote, wait_until):
    pid = zygote.open()
    zygote.act(0, "add 3")
    zygote.branch(0, pid, [1], [None])
    zygote.kill(0)
    assert zygote.hear() == {"kind": "exited", "process": 0, "code": -signal.SIGKILL}
    branch = int(zygote.observe(1, "pid", 1))
    wait_until(lambda: psutil.Process(branch).ppid() == zygote.process.pid)
    zygote.branch(1, branch, [2], [None])
    zygote.kill(1)
    assert zygote.hear()["process"] == 1
    assert total(zygote, 2, 2) == "3"


def test_the_end_of_a_branch_is_reported_once(zygote):
    pid = zygote.open()
    zygote.branch(0, pid, [1, 2], [None, None])
    zygote.kill(1)
    assert zygote.hear()["process"] == 1
    wire.send(zygote.channels[2], {"kind": "close"})
    assert zygote.hear()["process"] == 2
    wire.send(zygote.control, {"kind": "ping"})
    assert zygote.hear() == {"kind": "pong"}


def test_a_branch_that_is_killed_on_its_way_does_not_come(zygote, wait_until):
    pid = zygote.open()
    zygote.branch(0, pid, [1], [None])
    zygote.act(0, "on-the-way sleep 600", 1)
    (channel, _) = zygote.send_with_channels(
        zygote.control, 2, kind="branch", pid=pid, processes=[2]
    )
    assert zygote.hear() == {"kind": "permitted", "pid": pid}
    wire.send(zygote.channels[0], {"kind": "fork", "count": 1})
    zygote.channels[0] = channel
    assert wire.receive(channel) == {"kind": "forked"}
    assert len(psutil.Process(pid).children()) == 2
    zygote.kill(2)
    wait_until(lambda: len(psutil.Process(pid).children()) == 1)
    assert [total(zygote, number, 2) for number in (0, 1)] == ["0", "0"]


def test_a_process_that_was_not_asked_to_fork_cannot(zygote):
    zygote.open()
    assert "PermissionError" in zygote.observe(0, "fork 0")


def test_a_process_can_fork_only_as_often_as_it_was_asked_to(zygote):
    pid = zygote.open()
    zygote.branch(0, pid, [1], [None])
    for number in (0, 1):
        assert "PermissionError" in zygote.observe(number, "fork 0", 1)


def test_a_process_without_a_gate_is_not_permitted_to_fork(zygote):
    zygote.send_with_channels(zygote.control, 2, kind="branch", pid=os.getpid(), processes=[1])
    assert zygote.hear() == {"kind": "not_permitted", "pid": os.getpid()}


def test_a_process_that_tries_to_fork_without_end_is_killed(zygote):
    zygote.open()
    wire.send(
        zygote.channels[0],
        {"kind": "step", "index": 0, "message": {"role": "a", "content": "fork-bomb 100000"}},
    )
    assert zygote.hear() == {"kind": "exited", "process": 0, "code": -signal.SIGKILL}
