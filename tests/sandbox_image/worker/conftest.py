"""Attempts made by forked children, within a jail and without one."""

import ast
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from training_sandbox_worker import libc
from training_sandbox_worker.jail import Confinement, Jail, probe

PR_SET_DUMPABLE = 4
MEMORY_BYTES = 512 << 20


@dataclass(frozen=True)
class Outcome:
    """How an attempt went: what it returned, or raised, or what killed its process."""

    returned: object = None
    raised: str | None = None
    errno: int | None = None
    killed_by: signal.Signals | None = None


class InChild:
    """Makes an attempt in a forked child without a jail."""

    def __call__(self, attempt: Callable[[], object]) -> Outcome:
        return self.with_way_back(lambda _: attempt())

    def with_way_back(
        self, attempt: Callable[[int], object], meanwhile: Callable[[], None] = lambda: None
    ) -> Outcome:
        """The attempt is given the descriptor that its outcome will be written to.

        Args:
            attempt: What the child does.
            meanwhile: What the parent does after the fork.
        """
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                told = {"returned": attempt(writer)}
            except BaseException as error:  # noqa: BLE001 (all of it is told)
                told = {"raised": type(error).__name__, "errno": getattr(error, "errno", None)}
            os.write(writer, repr(told).encode())
            os._exit(0)
        os.close(writer)
        meanwhile()
        with open(reader, "rb") as answer:
            told = answer.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return Outcome(killed_by=signal.Signals(os.WTERMSIG(status)))
        return Outcome(**ast.literal_eval(told.decode()))


class RunIn:
    """Makes an attempt in a forked child that has entered a jail."""

    def __call__(
        self,
        jail: Jail,
        attempt: Callable[[], object],
        *,
        keep: Sequence[int] = (),
        hand_over: Callable[[int], None] | None = None,
        meanwhile: Callable[[], None] = lambda: None,
        user: int = 0,
    ) -> Outcome:
        def _enter_and_attempt(way_back: int) -> object:
            if user:
                become(user)
            jail.enter([way_back, *keep], hand_over)
            return attempt()

        return InChild().with_way_back(_enter_and_attempt, meanwhile)


def become(user: int) -> None:
    """Be as a program that another user started."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    libc.prepare("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)()


@pytest.fixture
def in_child() -> InChild:
    return InChild()


@pytest.fixture
def run_in() -> RunIn:
    return RunIn()


@pytest.fixture(scope="session")
def confinement() -> Confinement:
    return probe()


@pytest.fixture(scope="session")
def prepare(confinement) -> Callable[..., Jail]:
    """Prepare a jail that can read nothing more and has no gate, but for what the test says."""

    def _prepare(confinement: Confinement = confinement, **arguments: object) -> Jail:
        defaults = {"readable": [], "memory_bytes": MEMORY_BYTES, "gated": False}
        return Jail(confinement, **(defaults | arguments))

    return _prepare


@pytest.fixture(scope="session")
def plain_jail(prepare) -> Jail:
    return prepare()


@pytest.fixture
def in_jail(run_in, plain_jail) -> Callable[..., Outcome]:
    """Make an attempt in a forked child that has entered a jail that can read nothing more."""
    return lambda attempt, **options: run_in(plain_jail, attempt, **options)
