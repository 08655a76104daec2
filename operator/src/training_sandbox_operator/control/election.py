"""The election: one process leads, the others wait until its lease has run out or is free."""

import asyncio
import logging
import math
import socket
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from training_sandbox_operator.cluster.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    NotFoundError,
    RejectedError,
)
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.cluster.leaders import Leaders
from training_sandbox_operator.decisions.election import Candidate, Step, Terms
from training_sandbox_operator.model.lease import Lease, given_back, held_by
from training_sandbox_operator.model.names import Key

_log = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """Another process may lead: this one ends at once, and starts again as a candidate."""


class Leadership:
    """Whether this process may write, by its own clock.

    Args:
        is_contested: whether there may be other processes; else this one may always write.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, *, is_contested: bool, clock: Callable[[], float] | None = None) -> None:
        self.clock = clock or boot_clock
        self._until = -math.inf if is_contested else math.inf

    def set_until(self, moment: float) -> None:
        """Allow writes until then."""
        self._until = moment

    def seconds_left(self) -> float:
        """Return for how long this process may write; not positive when it may not."""
        return self._until - self.clock()


def boot_clock() -> float:
    """Return monotonic seconds; where there is such a clock, those of a suspended machine too."""
    clock: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def new_identity() -> str:
    """Return the pod's name and a random part: another life of a container is another one."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


class Election:
    """One candidate.

    Args:
        api: the API server.
        lease: namespace and name of the record.
        seconds: how long the lease holds after a renewal.
        leadership: is told for how long this process may write.
        identity: of this life of this process.
    """

    def __init__(
        self, *, api: KubernetesApi, lease: Key, seconds: int, leadership: Leadership, identity: str
    ) -> None:
        self._api = api
        self._key = lease
        self._leaders = Leaders(api, lease)
        self._leadership = leadership
        self._now = leadership.clock
        self._terms = Terms(seconds)
        self._candidate = Candidate(identity, self._terms)
        self._is_over = False
        self._has_complained = False
        self._gives_up_at: float | None = None
        self.won = asyncio.Event()

    async def run(self) -> None:
        """Become the leader, and stay it.

        Raises:
            LeaseLostError: this process has led and must not any more.
        """
        _log.info("%s: candidate %s", self._key, self._candidate.identity)
        await self._look()
        while not self._is_over:
            match self._candidate.next_step(self._now()):
                case Step.TAKE:
                    if not await self._take():
                        await self._look()
                        await self._pause(self._terms.look_every)
                case Step.WAIT:
                    await self._pause(self._terms.look_every)
                    await self._look()
                case Step.REST:
                    due_at = self._candidate.asked_at + self._terms.renew_every
                    await self._pause(due_at - self._now())
                case Step.STOP:
                    self._leadership.set_until(-math.inf)
                    raise LeaseLostError(f"the lease {self._key} was lost: another one may lead")

    async def resign(self) -> None:
        """Write nothing more, and give the lease back, if this process holds it.

        It is kept, and runs out, when a write may still be on its way.
        """
        held = self._candidate.seen
        is_held = self._candidate.leads(self._now())
        self._is_over = True
        self._leadership.set_until(-math.inf)
        if held is None or not is_held:
            return
        try:
            async with asyncio.timeout(self._terms.patience):
                await self._api.until_nothing_is_written()
                await self._give_back(held)
        except (ApiError, TimeoutError) as error:
            _log.warning("%s: the lease was not given back: %r", self._key, error)
        else:
            _log.info("%s: given back", self._key)

    async def _give_back(self, held: Lease) -> None:
        while held.holder == self._candidate.identity:
            spec = given_back(held, datetime.now(UTC))
            try:
                await self._api.replace_lease(self._key, held.version, spec)
            except ConflictError:
                # A renewal that was on its way came first.
                held = await self._api.get_lease(self._key) or held
            else:
                return

    async def _take(self) -> bool:
        """Write the record and return whether that was done."""
        asked_at = self._now()
        before = self._candidate.seen
        identity = self._candidate.identity
        spec = held_by(identity, self._terms.seconds, before, datetime.now(UTC))
        try:
            async with asyncio.timeout(self._terms.patience):
                if before is None:
                    lease = await self._api.create_lease(self._key, spec)
                else:
                    lease = await self._api.replace_lease(self._key, before.version, spec)
        except (AlreadyExistsError, ConflictError, NotFoundError):
            # Somebody has written it, maybe this process whose answer was lost.
            return False
        except (ApiError, TimeoutError) as error:
            self._complain("the lease was not written", error)
            return False
        if self._is_over:
            return True
        self._candidate = self._candidate.grant(lease, asked_at)
        self._leadership.set_until(asked_at + self._terms.valid)
        if not self.won.is_set():
            await self._begin(was_given_back=before is not None and not before.holder)
        return True

    async def _begin(self, *, was_given_back: bool) -> None:
        """Have the API server know who leads, and begin.

        What a former leader has sent may still be let through until the news has spread: whoever
        has not given the lease back may have sent something.
        """
        if not await self._is_made_known():
            return
        if not was_given_back:
            await self._pause(self._terms.settling)
        if self._candidate.leads(self._now()) and not self._is_over:
            _log.info("%s: %s leads", self._key, self._candidate.identity)
            self.won.set()

    async def _is_made_known(self) -> bool:
        """Tell who leads, or find that it cannot be told; what fails is tried at the next renewal.

        Nobody's work waits for it for longer than a lease holds: it only protects from what the
        network delivers late.
        """
        try:
            async with asyncio.timeout(self._terms.patience / 2):
                await self._leaders.write(self._candidate.identity)
        except (ApiError, TimeoutError) as error:
            is_final = isinstance(error, NotFoundError | RejectedError)
            self._gives_up_at = self._gives_up_at or self._now() + self._terms.seconds
            if not is_final and self._now() < self._gives_up_at:
                self._complain("the OperatorLeader was not written", error)
                return False
            _log.warning(
                "%s: no OperatorLeader is written, so that what the network delivers late is not "
                "refused: see that the CustomResourceDefinitions and roles are those of this "
                "version, and restart the operators: %r",
                self._key,
                error,
            )
        else:
            self._api.write_as(self._candidate.identity)
        return True

    async def _look(self) -> None:
        lease: Lease | None
        try:
            async with asyncio.timeout(self._terms.patience):
                lease = await self._api.get_lease(self._key)
        except (ApiError, TimeoutError) as error:
            self._complain("the lease cannot be read", error)
            return
        self._has_complained = False
        self._candidate = self._candidate.observe(lease, self._now())

    def _complain(self, what: str, error: Exception) -> None:
        """Warn of the first failure of a row: there may be two a second."""
        level = logging.DEBUG if self._has_complained else logging.WARNING
        self._has_complained = True
        _log.log(level, "%s: %s: %r", self._key, what, error)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0))
