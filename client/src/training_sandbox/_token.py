"""The bearer token of a server: where it comes from, and what comes after it."""

from __future__ import annotations

import logging
import os
import re
from functools import partial
from typing import TYPE_CHECKING

import anyio

from training_sandbox._exceptions import InvalidRequest, TrainingSandboxError, Unauthorized
from training_sandbox._patience import until_answered
from training_sandbox._retry import Deadline

if TYPE_CHECKING:
    from training_sandbox._cluster import Cluster
    from training_sandbox._manifest import Instance

logger = logging.getLogger("training_sandbox")

TOKEN_VARIABLE = "TRAINING_SANDBOX_TOKEN"
POLL_SECONDS = 0.5
FIRST_SECONDS = 90.0
"""An operator puts back a Secret that was deleted within a minute or so."""

# RFC 6750; anything else would break the header, and the error about that would quote it.
_BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


def token_given(token: str | None) -> str | None:
    """Return the token that was given, as an argument or by the environment; None if none was.

    Raises:
        InvalidRequest: it is none. The message does not repeat it.
    """
    given = token if token is not None else os.environ.get(TOKEN_VARIABLE, "")
    stripped = given.strip()
    if stripped and not _BEARER_TOKEN.fullmatch(stripped):
        raise InvalidRequest(f"token, {TOKEN_VARIABLE}: that is no bearer token")
    return stripped or None


class InstanceToken:
    """The token of a TrainingInstance, which is another one in each incarnation.

    Args:
        cluster: where the instance is.
        instance: once it was ready.
    """

    def __init__(self, cluster: Cluster, instance: Instance) -> None:
        self._cluster = cluster
        self._instance = instance
        self._token: str | None = None
        self._reading = anyio.Lock()

    async def first(self) -> str | None:
        """Return the token; None for a server that wants none.

        Raises:
            Unauthorized: it may not be read, or does not come.
            ClusterUnavailable: the API does not answer for as long.
        """
        secret = self._instance.token_secret
        if not secret:
            return None
        deadline = Deadline.after(FIRST_SECONDS)
        read = partial(self._cluster.token, secret)
        while self._token is None:
            self._token = await until_answered(read, deadline.remaining())
            if self._token is None:
                if not deadline.remaining():
                    raise Unauthorized(
                        f"there is no Secret {self._instance.namespace}/{secret}, and the operator "
                        f"has not made it again within {FIRST_SECONDS:g} s"
                    )
                await anyio.sleep(POLL_SECONDS)
        return self._token

    async def after(self, refused: str | None, seconds: float) -> str | None:
        """Return the token that follows one which the server did not take; None if none does.

        The server may have been started again: then the operator is about to write another one.
        """
        deadline = Deadline.after(seconds)
        async with self._reading:
            while self._token == refused:
                found = await self._read()
                if found is not None and found != refused:
                    self._token = found
                elif deadline.remaining() <= POLL_SECONDS:
                    return None
                else:
                    await anyio.sleep(POLL_SECONDS)
            return self._token

    async def _read(self) -> str | None:
        try:
            instance = await self._cluster.find(self._instance.name)
            if instance is None or not instance.token_secret:
                return None
            return await self._cluster.token(instance.token_secret)
        except TrainingSandboxError as error:
            logger.info("instance %s: its token cannot be read: %s", self._instance.name, error)
            return None
