"""Kubernetes Events about instances: at most one for each thing that has happened."""

import hashlib
import logging
from collections import OrderedDict
from datetime import datetime
from typing import Any

from training_sandbox_operator.cluster.errors import AlreadyExistsError, ApiError
from training_sandbox_operator.cluster.kubernetes_api import FIELD_MANAGER, KubernetesApi
from training_sandbox_operator.decisions.actions import EmitEvent
from training_sandbox_operator.model.names import API_VERSION, KIND
from training_sandbox_operator.model.timestamps import format_timestamp

_log = logging.getLogger(__name__)

_REMEMBERED = 10_000
_LONGEST_MESSAGE = (
    1024  # https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
)


class EventRecorder:
    """Creates Events whose names are derived from what they tell.

    The same occurrence gives the same name, after a restart of the operator too, so the API server
    refuses the second one. An event that cannot be created is logged and forgotten: it is news, not
    state.
    """

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api
        self._told: OrderedDict[str, None] = OrderedDict()

    async def emit(self, event: EmitEvent, now: datetime) -> None:
        """Create the event unless it has been created before."""
        manifest = _manifest(event, now)
        name: str = manifest["metadata"]["name"]
        told = f"{event.instance.key.namespace}/{name}"
        if told in self._told:
            return
        try:
            await self._api.create_event(manifest)
        except AlreadyExistsError:
            pass
        except ApiError as error:
            _log.info("%s: event %s was not created: %s", event.instance.key, name, error)
            return
        self._told[told] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)


def _manifest(event: EmitEvent, now: datetime) -> dict[str, Any]:
    instance = event.instance
    digest = hashlib.sha256(f"{instance.uid}/{event.reason}/{event.about}".encode()).hexdigest()
    moment = format_timestamp(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{instance.key.name}.{digest[:16]}",
            "namespace": instance.key.namespace,
        },
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": instance.key.namespace,
            "name": instance.key.name,
            "uid": instance.uid,
        },
        "type": event.kind,
        "reason": event.reason,
        "message": event.message[:_LONGEST_MESSAGE],
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "reportingInstance": FIELD_MANAGER,
    }
