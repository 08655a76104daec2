"""The gate that a jailed process must pass to start a thread or a process.

Agent code can start nothing by itself. An episode's process forks when the server asked for
branches of it, and only then: the kernel stops each fork and asks the holder of the gate, who knows
whether it was asked for (seccomp_unotify(2)).
"""

import array
import contextlib
import errno
import os
import select
import signal
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from training_sandbox_worker import process, wire
from training_sandbox_worker.jail.notifications import (
    Notification,
    allow,
    answer_with_descriptor,
    deny,
    receive,
)

MAX_THREADS = 64
MAX_REFUSALS = 1000
"""A process that is refused so often is an attack on whoever has to answer, and is killed."""

_CREDENTIALS = struct.Struct("3i")


class Registrar:
    """A socket on which processes hand their gates to the zygote, before they run agent code."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._ours.setblocking(False)

    def fileno(self) -> int:
        """The descriptor that `announce` writes to."""
        return self._theirs.fileno()

    @property
    def receiver(self) -> int:
        """The descriptor that `receive` reads from."""
        return self._ours.fileno()

    def announce(self, listener: int) -> None:
        """Hand over this process's gate; it has none then."""
        socket.send_fds(self._theirs, [b"gate"], [listener])
        os.close(listener)

    def receive(self) -> tuple[int, int] | None:
        """The pid, which the kernel vouches for, and the gate of a process; None if none waits."""
        listeners = array.array("i")
        room = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(listeners.itemsize)
        try:
            _, ancillary, _, _ = self._ours.recvmsg(16, room, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        pid = 0
        for _, kind, content in ancillary:
            if kind == socket.SCM_RIGHTS:
                listeners.frombytes(content)
            elif kind == socket.SCM_CREDENTIALS:
                pid = _CREDENTIALS.unpack(content)[0]
        return (pid, listeners[0]) if pid and listeners else None

    def leave_to_parent(self) -> None:
        """In a forked process: it may announce, and not receive."""
        self._ours.close()

    def close(self) -> None:
        """In a process that has announced its gate, or will not."""
        self._theirs.close()


@dataclass(slots=True)
class _Branching:
    """Branches of one process that were asked for.

    Attributes:
        parent_started: See `process.started`.
        permits: How often it still may fork.
        channel: The parent's new channel; None once it has it.
        waiting: Number and channel of each branch that has not come yet.
        withdrawn: Whether one of them was told not to come.
    """

    parent_started: int | None
    permits: int
    channel: int | None
    waiting: deque[tuple[int, int]]
    withdrawn: bool = False

    def withdraw(self, number: int) -> bool:
        """Let the branch of a number not come any more; False if it is not awaited."""
        for branch in self.waiting:
            if branch[0] == number:
                self.waiting.remove(branch)
                os.close(branch[1])
                return True
        return False

    def close(self) -> None:
        for descriptor in (self.channel, *(channel for _, channel in self.waiting)):
            if descriptor is not None:
                os.close(descriptor)
        self.channel = None
        self.waiting.clear()


@dataclass(slots=True)
class _Family:
    """An episode and its branches: all that is behind one listener.

    Attributes:
        listener: Where all of them ask.
        refusals: How often each process was refused.
        branchings: By the process that may fork: each forks by itself, several at once.
    """

    listener: int
    refusals: Counter[int] = field(default_factory=Counter[int])
    branchings: dict[int, _Branching] = field(default_factory=dict)

    def forget(self, pid: int) -> None:
        self.refusals.pop(pid, None)
        branching = self.branchings.pop(pid, None)
        if branching is not None:
            branching.close()

    def close_branchings(self) -> None:
        for branching in self.branchings.values():
            branching.close()
        self.branchings.clear()


@dataclass(slots=True)
class _Branch:
    number: int
    handle: int


class ForkGate:
    """Holds the gates of all jailed processes below this one.

    Args:
        registrar: Where they are announced.
        report: Tells the owner of the zygote that a branch was `forked`, or not, or has `exited`.
        poll: What it hears of is registered there, for `handle` and `hang_up`.
    """

    def __init__(
        self, registrar: Registrar, report: Callable[[wire.Frame], None], poll: select.poll
    ) -> None:
        self._registrar = registrar
        self._report = report
        self._poll = poll
        poll.register(registrar.receiver, select.POLLIN)
        self._families: dict[int, _Family] = {}
        self._family_of: dict[int, _Family] = {}
        self._branches: dict[int, _Branch] = {}

    def handle(self, descriptor: int) -> None:
        """Do what a descriptor that can be read calls for."""
        if descriptor == self._registrar.receiver:
            self._admit()
        elif descriptor in self._families:
            self._answer(self._families[descriptor])
        else:
            for pid, branch in list(self._branches.items()):
                if branch.handle == descriptor:
                    self.ended(pid, None)

    def hang_up(self, listener: int) -> None:
        """Forget a family of which nobody is left."""
        family = self._families.pop(listener, None)
        if family is None:
            return
        for pid in [pid for pid, known in self._family_of.items() if known is family]:
            del self._family_of[pid]
        family.close_branchings()
        self._poll.unregister(listener)
        os.close(listener)

    def leave_to_parent(self) -> None:
        """In a forked process: hold nothing that is its parent's."""
        for family in self._families.values():
            os.close(family.listener)
            family.close_branchings()
        for branch in self._branches.values():
            os.close(branch.handle)
        self._registrar.leave_to_parent()

    def knows(self, pid: int) -> bool:
        """Whether a process is a branch."""
        return pid in self._branches

    def kill(self, number: int) -> bool:
        """SIGKILL the branch of a number, or let it not come any more; False if there is none.

        One that is on its way is killed as well, and so are all with which it was to come: they
        would get the channels of the next branches of their parent, which may live on.
        """
        for branch in self._branches.values():
            if branch.number == number:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(branch.handle, signal.SIGKILL)
                return True
        for family in self._families.values():
            for parent, branching in family.branchings.items():
                if branching.withdraw(number):
                    self._kill_those_on_their_way(parent, branching)
                    return True
        return False

    def ended(self, pid: int, code: int | None) -> None:
        """Report the end of a branch, once.

        Args:
            pid: Its process.
            code: Its exit code, if this process was the one to reap it.
        """
        branch = self._branches.pop(pid, None)
        if branch is None:
            return
        self._poll.unregister(branch.handle)
        os.close(branch.handle)
        family = self._family_of.pop(pid, None)
        if family is not None:
            family.forget(pid)
        self._report({"kind": "exited", "process": branch.number, "code": code})

    def permit(self, parent: int, numbers: Sequence[int], channels: Sequence[int]) -> bool:
        """Let a process fork, once for each number.

        Args:
            parent: The process.
            numbers: Of the branches.
            channels: Descriptors, taken over: the parent's new channel, then each branch's.

        Returns:
            Whether it may; not when it has no gate.
        """
        self._admit()
        family = self._family_of.get(parent)
        if family is None or len(channels) != len(numbers) + 1:
            for channel in channels:
                os.close(channel)
            return False
        former = family.branchings.get(parent)
        if former is not None:
            if former.waiting:
                self._kill_those_on_their_way(parent, former)
            former.close()
        waiting = deque(zip(numbers, channels[1:], strict=True))
        started = process.started(parent)
        family.branchings[parent] = _Branching(started, len(numbers), channels[0], waiting)
        return True

    def _kill_those_on_their_way(self, parent: int, branching: _Branching) -> None:
        if branching.withdrawn:
            return
        branching.withdrawn = True
        branching.permits = 0
        unknown = [pid for pid in process.children(parent) if pid not in self._branches]
        # What a parent that has ended left behind is the zygote's child, and not spared.
        if process.started(parent) == branching.parent_started:
            for pid in unknown:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _admit(self) -> None:
        while (announced := self._registrar.receive()) is not None:
            pid, listener = announced
            self._families[listener] = self._family_of[pid] = _Family(listener)
            self._poll.register(listener, select.POLLIN)

    def _answer(self, family: _Family) -> None:
        notification = receive(family.listener)
        if notification is None:
            return
        if notification.is_gate_call:
            self._hand_over_channel(family, notification)
        elif self._may_start(family, notification):
            allow(family.listener, notification.id)
        else:
            self._refuse(family, notification)

    def _may_start(self, family: _Family, notification: Notification) -> bool:
        threads = process.count_threads(notification.pid)
        if notification.is_thread:
            return threads < MAX_THREADS
        branching = family.branchings.get(notification.pid)
        if branching is None or branching.permits == 0 or threads != 1:
            return False
        branching.permits -= 1
        return True

    def _hand_over_channel(self, family: _Family, notification: Notification) -> None:
        pid = notification.pid
        own = family.branchings.get(pid)
        if own is not None and own.channel is not None:
            # What it forked from now on would have its channel.
            own.permits = 0
            channel, own.channel = own.channel, None
            self._give(family, notification, channel)
        # Another thread of a branch would get the channel of the next branch.
        elif process.count_threads(pid) != 1:
            self._refuse(family, notification)
        elif waiting := self._branches_awaited_with(family, pid):
            number, channel = waiting.popleft()
            self._begin(family, number, pid)
            self._give(family, notification, channel)
        else:
            self._refuse(family, notification)

    def _begin(self, family: _Family, number: int, pid: int) -> None:
        try:
            self._branches[pid] = _Branch(number, os.pidfd_open(pid))
        except OSError as error:
            # It has ended, or nobody would hear of its end.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._report({"kind": "fork_failed", "process": number, "reason": str(error)})
        else:
            self._family_of[pid] = family
            self._poll.register(self._branches[pid].handle, select.POLLIN)
            self._report({"kind": "forked", "process": number, "pid": pid})

    def _give(self, family: _Family, notification: Notification, channel: int) -> None:
        """Hand a channel over; it is closed here, and lost if the process cannot take it."""
        try:
            answer_with_descriptor(family.listener, notification.id, channel)
        except OSError:
            # It has as many descriptors as it may.
            self._refuse(family, notification)
        finally:
            os.close(channel)

    def _branches_awaited_with(self, family: _Family, pid: int) -> deque[tuple[int, int]] | None:
        """The branches that a process may be one of: none unless its parent was to fork it."""
        parent = None if pid in self._branches else process.parent_of(pid)
        branching = None if parent is None else family.branchings.get(parent)
        return None if branching is None else branching.waiting

    def _refuse(self, family: _Family, notification: Notification) -> None:
        pid = process.of_thread(notification.pid)
        deny(family.listener, notification.id, errno.EPERM)
        family.refusals[pid] += 1
        if family.refusals[pid] >= MAX_REFUSALS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
