"""Creating a TrainingInstance once or not at all, also when answers are lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from training_sandbox._exceptions import ClusterUnavailable, InstanceExists, TrainingSandboxError
from training_sandbox._json import as_text, dig
from training_sandbox._leftovers import warn_of_leftover
from training_sandbox._manifest import CREATION_TOKEN
from training_sandbox._patience import until_answered

if TYPE_CHECKING:
    from training_sandbox._cluster import Cluster
    from training_sandbox._json import JsonObject
    from training_sandbox._manifest import Instance

CREATE_SECONDS = 10.0
CREATE_ATTEMPTS = 3
DELETE_SECONDS = 15.0


class Creation:
    """The creation of one object, which its creation token tells from another's of the name.

    Args:
        cluster: where to create it.
        manifest: the object.
    """

    def __init__(self, cluster: Cluster, manifest: JsonObject) -> None:
        self._cluster = cluster
        self._manifest = manifest
        self._name = as_text(dig(manifest, "metadata", "name"))
        self._token = as_text(dig(manifest, "metadata", "annotations", CREATION_TOKEN))
        self._may_exist = False

    async def run(self) -> Instance:
        """Create the object; where that fails, delete what may have been created all the same.

        Raises:
            InstanceExists: another's object has the name.
            InstanceRejected: the API refuses the object.
            ClusterUnavailable: the API does not answer, or does not know TrainingInstance.
        """
        try:
            return await until_answered(self._attempt, CREATE_SECONDS, attempts=CREATE_ATTEMPTS)
        except TrainingSandboxError:
            if self._may_exist:
                await self._withdraw()
            raise

    async def _attempt(self) -> Instance:
        # Looked for before it is sent again: its first copy may have used up a quota.
        if self._may_exist and (ours := await self._ours()):
            return ours
        try:
            return await self._cluster.create(self._manifest)
        except InstanceExists:
            if ours := await self._ours():
                return ours
            raise
        except ClusterUnavailable as error:
            self._may_exist = self._may_exist or error.passing
            raise

    async def _ours(self) -> Instance | None:
        existing = await self._cluster.find(self._name)
        return existing if existing and existing.creation_token == self._token else None

    async def _withdraw(self) -> None:
        try:
            with anyio.fail_after(DELETE_SECONDS):
                await until_answered(self._delete_ours, DELETE_SECONDS)
        except (TrainingSandboxError, TimeoutError) as error:
            warn_of_leftover(self._name, error)

    async def _delete_ours(self) -> None:
        if ours := await self._ours():
            await self._cluster.delete(self._name, ours.uid)
