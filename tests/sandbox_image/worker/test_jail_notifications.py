"""The gate of a jail: forks, threads and the gate call wait for whoever holds the listener."""

import contextlib
import errno
import os
import select
import signal
import socket
import threading
import time

import pytest

from training_sandbox_worker.jail import notifications, seccomp


class Gate:
    """Answers every notification of a listener, as a test decides, until no process is left.

    Attributes:
        heard: What was asked, in order.
    """

    def __init__(self, decide) -> None:
        self._decide = decide
        self.heard: list[notifications.Notification] = []

    def serve(self, listener: int) -> None:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while poll.poll()[0][1] & select.POLLIN:
            notification = notifications.receive(listener)
            if notification is not None:
                self.heard.append(notification)
                self._decide(listener, notification)


@pytest.fixture
def behind_gate(prepare, run_in):
    """Make an attempt in a gated jail whose gate decides as the test says."""
    jail = prepare(gated=True)

    def _attempt_behind(attempt, decide):
        ours, theirs = socket.socketpair()
        gate = Gate(decide)

        def _hand_over(listener):
            socket.send_fds(theirs, [b"!"], [listener])
            os.close(listener)

        def _keep_gate():
            _, (listener,), _, _ = socket.recv_fds(ours, 1, 1)
            gate.serve(listener)
            os.close(listener)

        with ours, theirs:
            keeper = threading.Thread(target=_keep_gate)
            outcome = run_in(
                jail, attempt, keep=[theirs.fileno()], hand_over=_hand_over, meanwhile=keeper.start
            )
            keeper.join()
        return outcome, gate.heard

    return _attempt_behind


def allow(listener, notification):
    notifications.allow(listener, notification.id)


def refuse(listener, notification):
    notifications.deny(listener, notification.id, errno.EAGAIN)


def fork_and_wait():
    child = os.fork()
    if child == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_thread():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    return "joined"


def test_a_fork_is_asked_for_and_allowed(behind_gate):
    outcome, (asked,) = behind_gate(fork_and_wait, allow)
    assert outcome.returned == 7
    assert (asked.is_process, asked.is_thread, asked.is_gate_call) == (True, False, False)


def test_a_fork_is_refused_by_the_error_that_the_gate_chose(behind_gate):
    outcome, _ = behind_gate(os.fork, refuse)
    assert outcome.errno == errno.EAGAIN


def test_a_thread_is_asked_for_and_allowed(behind_gate):
    outcome, (asked,) = behind_gate(run_thread, allow)
    assert outcome.returned == "joined"
    assert (asked.is_process, asked.is_thread, asked.is_gate_call) == (False, True, False)


def test_a_thread_is_refused(behind_gate):
    outcome, _ = behind_gate(run_thread, refuse)
    assert outcome.raised == "RuntimeError"


def test_the_caller_is_named(behind_gate):
    outcome, (asked,) = behind_gate(lambda: (fork_and_wait(), os.getpid())[1], allow)
    assert asked.pid == outcome.returned


def test_what_was_allowed_to_fork_is_behind_the_same_gate(behind_gate):
    def _fork_twice():
        child = os.fork()
        if child == 0:
            os._exit(fork_and_wait())
        return child, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    outcome, (_, asked) = behind_gate(_fork_twice, allow)
    assert outcome.returned == (asked.pid, 7)


@pytest.mark.parametrize("spawn", [os.posix_spawn, os.posix_spawnp])
def test_processes_that_share_memory_are_refused_unasked(behind_gate, spawn):
    outcome, heard = behind_gate(lambda: spawn("/bin/true", ["true"], {}), allow)
    assert (outcome.raised, heard) == ("PermissionError", [])


def test_the_gate_call_is_answered_with_a_descriptor(behind_gate):
    reader, writer = os.pipe()

    def _write():
        descriptor = notifications.gate_call()
        os.write(descriptor, b"through the gate")
        return os.get_inheritable(descriptor)

    def _hand_over(listener, notification):
        assert notification.is_gate_call
        notifications.answer_with_descriptor(listener, notification.id, writer)

    outcome, _ = behind_gate(_write, _hand_over)
    assert outcome.returned is False
    assert os.read(reader, 100) == b"through the gate"
    os.close(reader)
    os.close(writer)


def test_the_gate_call_tells_what_it_was_given(behind_gate):
    _, (asked,) = behind_gate(lambda: notifications.gate_call(7), refuse)
    assert (asked.is_gate_call, asked.argument) == (True, 7)


def test_the_gate_call_is_refused(behind_gate):
    outcome, _ = behind_gate(notifications.gate_call, refuse)
    assert outcome.errno == errno.EAGAIN


def test_a_caller_without_room_for_a_descriptor_is_told_apart(behind_gate):
    def _fill_and_call():
        with contextlib.suppress(OSError):
            while True:
                os.dup(0)
        return notifications.gate_call()

    def _hand_over(listener, notification):
        with pytest.raises(OSError, match="Too many open files"):
            notifications.answer_with_descriptor(listener, notification.id, 0)
        notifications.deny(listener, notification.id, errno.EMFILE)

    outcome, _ = behind_gate(_fill_and_call, _hand_over)
    assert outcome.errno == errno.EMFILE


@pytest.mark.parametrize(
    "answer",
    [
        notifications.allow,
        lambda listener, id_: notifications.deny(listener, id_, errno.EPERM),
        lambda listener, id_: notifications.answer_with_descriptor(listener, id_, 0),
    ],
    ids=["allow", "deny", "descriptor"],
)
def test_a_caller_that_was_killed_needs_no_answer(behind_gate, answer):
    def _kill_and_answer(listener, notification):
        os.kill(notification.pid, signal.SIGKILL)
        gone = select.poll()
        gone.register(listener, select.POLLIN)
        while not gone.poll()[0][1] & select.POLLHUP:
            time.sleep(0.001)
        answer(listener, notification.id)

    outcome, _ = behind_gate(notifications.gate_call, _kill_and_answer)
    assert outcome.killed_by == signal.SIGKILL


def test_a_question_of_a_caller_that_was_killed_is_none(behind_gate):
    heard = []

    def _kill_and_look_again(listener, notification):
        os.kill(notification.pid, signal.SIGKILL)
        gone = select.poll()
        gone.register(listener, select.POLLIN)
        while not gone.poll()[0][1] & select.POLLHUP:
            time.sleep(0.001)
        heard.append(notifications.receive(listener))

    behind_gate(notifications.gate_call, _kill_and_look_again)
    assert heard == [None]


def test_a_signal_does_not_ask_twice(behind_gate):
    def _call_under_alarm():
        interrupted = []
        signal.signal(signal.SIGALRM, lambda *_: interrupted.append(True))
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        with contextlib.suppress(OSError):
            notifications.gate_call()
        signal.setitimer(signal.ITIMER_REAL, 0)
        return bool(interrupted)

    def _refuse_late(listener, notification):
        time.sleep(0.1)
        refuse(listener, notification)

    outcome, heard = behind_gate(_call_under_alarm, _refuse_late)
    assert (outcome.returned, len(heard)) == (True, 1)


@pytest.mark.parametrize("hand_over", [os.close, None])
def test_what_nobody_listens_to_is_refused(prepare, run_in, hand_over):
    outcome = run_in(prepare(gated=True), os.fork, hand_over=hand_over)
    assert outcome.errno == errno.ENOSYS


def test_a_jail_without_a_gate_has_no_listener(prepare, run_in):
    def _fail(_):
        raise AssertionError("there is none")

    assert run_in(prepare(), lambda: "entered", hand_over=_fail).returned == "entered"
    assert run_in(prepare(), notifications.gate_call).raised == "PermissionError"


def test_no_descriptor_is_sent_once_the_listener_is(prepare, run_in):
    """Those that are on their way count against all processes of the user."""

    def _send():
        ours, _ = socket.socketpair()
        socket.send_fds(ours, [b"!"], [0])

    assert run_in(prepare(gated=True), _send).raised == "PermissionError"


def test_no_second_filter_is_installed_once_the_listener_is_sent(prepare, run_in):
    program = seccomp.compile_program([], otherwise=seccomp.ALLOW)
    outcome = run_in(prepare(gated=True), lambda: seccomp.install(program, listen=False))
    assert outcome.raised == "PermissionError"


@pytest.fixture
def interrupted_all_the_time():
    """Let signals rain on the thread that calls what this returns, until the test ends."""
    over = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    rain: list[threading.Thread] = []

    def _rain_on(thread: int) -> None:
        while not over.is_set():
            signal.pthread_kill(thread, signal.SIGUSR1)

    def _begin() -> None:
        if not rain:
            rain.append(threading.Thread(target=_rain_on, args=(threading.get_ident(),)))
            rain[0].start()

    def _end() -> None:
        over.set()
        for thread in rain:
            thread.join()

    yield _begin, _end
    _end()
    signal.signal(signal.SIGUSR1, before)


def test_an_answer_is_given_whole_though_signals_come(behind_gate, interrupted_all_the_time):
    begin, end = interrupted_all_the_time
    calls = 300

    def take_descriptors():
        for _ in range(calls):
            os.close(notifications.gate_call())
        return "taken"

    given = 0

    def give(listener, notification):
        nonlocal given
        begin()
        try:
            notifications.answer_with_descriptor(listener, notification.id, 0)
        except InterruptedError:
            os.close(listener)  # whoever waits is told that nobody listens
            raise
        given += 1
        if given == calls:
            end()

    outcome, _ = behind_gate(take_descriptors, give)
    assert outcome.returned == "taken"
