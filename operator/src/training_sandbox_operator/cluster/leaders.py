"""Requests about the OperatorLeader, by which the API server knows who leads."""

from typing import Any

from training_sandbox_operator.cluster import paths
from training_sandbox_operator.cluster.errors import NotFoundError
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.model.names import API_VERSION, LEADER_KIND, Key


class Leaders:
    """The OperatorLeader beside a Lease, of the same name.

    Args:
        api: the API server.
        key: of the Lease.
    """

    def __init__(self, api: KubernetesApi, key: Key) -> None:
        self._api = api
        self._key = key

    async def write(self, identity: str) -> None:
        """Write down who leads, in place of whoever did before.

        Raises:
            NotFoundError: there is no such kind of objects.
            RejectedError: this process has no right to.
            ApiError: it was not done, or it is not known whether it was, maybe since another one
                has written meanwhile: look who leads before trying again.
        """
        path = paths.leaders(self._key)
        metadata: dict[str, Any] = {"namespace": self._key.namespace, "name": self._key.name}
        body = {
            "apiVersion": API_VERSION,
            "kind": LEADER_KIND,
            "metadata": metadata,
            "spec": {"identity": identity},
        }
        try:
            before = await self._api.request("GET", f"{path}/{self._key.name}")
            metadata["resourceVersion"] = before["metadata"]["resourceVersion"]
            await self._api.request("PUT", f"{path}/{self._key.name}", body=body)
        except NotFoundError:
            metadata.pop("resourceVersion", None)
            await self._api.request("POST", path, body=body)
