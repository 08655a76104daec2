"""Where a server answers, and who looks after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from training_sandbox._exceptions import TrainingSandboxError


@dataclass(frozen=True, slots=True)
class BoundTask:
    """The task that a server was started for: its episode is already open.

    Attributes:
        untouched: whether nobody can have stepped the episode before us.
    """

    task_id: str
    episode_id: str
    params: Mapping[str, object] | None
    untouched: bool


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and how to reach it.

    Attributes:
        base_url: ``http://host:port``, without a path.
        transport: what carries requests; None for plain TCP.
        environment_proxies: whether the process' proxy settings apply on the way.
        env_type: the environment that it serves; None when only the caller knows.
        name: of its TrainingInstance, if it has one.
        bound: its task, if it was started for one.
        token: what calls are let in by; None where everybody is.
    """

    base_url: str
    transport: httpx.AsyncBaseTransport | None = None
    environment_proxies: bool = False
    env_type: str | None = None
    name: str | None = None
    bound: BoundTask | None = field(default=None)
    token: str | None = field(default=None, repr=False)


class Provider(Protocol):
    """Makes a server available and takes it away again."""

    async def start(self) -> Server:
        """Return a server that accepts episodes; leave nothing behind on failure."""
        ...

    async def stop(self) -> None:
        """Take away what ``start`` made. Idempotent; never raises for what is gone already."""
        ...

    async def explain(self) -> TrainingSandboxError | None:
        """Say why the server cannot be reached; None when there is nothing to say."""
        ...

    async def token_after(self, refused: str | None, seconds: float) -> str | None:
        """Return the token that follows one which the server did not take; None if none does.

        Args:
            refused: the one that it did not take, None if it was called without.
            seconds: how long to wait for another.
        """
        ...
