"""Kubernetes Events about instances: at most one for each thing that has happened."""

import asyncio
import hashlib
import logging
from collections import OrderedDict, deque
from datetime import datetime
from typing import Any

from training_sandbox_operator.cluster.errors import AlreadyExistsError, ApiError
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.decisions.actions import EmitEvent
from training_sandbox_operator.metrics import Metrics
from training_sandbox_operator.model.names import API_VERSION, FIELD_MANAGER, KIND
from training_sandbox_operator.model.timestamps import format_timestamp

_log = logging.getLogger(__name__)

_REMEMBERED = 10_000
_LONGEST_MESSAGE = (
    1024  # https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
)


class EventRecorder:
    """Creates Events whose names are derived from what they tell.

    The same occurrence gives the same name, after a restart of the operator too, so the API server
    refuses the second one. They are created one after the other, in the background, so that news
    never takes the place of work. An event that cannot be created is logged and forgotten, and so
    is the oldest of very many: it is news, not state.

    Args:
        api: the API server.
        metrics: told of every event.
    """

    def __init__(self, api: KubernetesApi, metrics: Metrics) -> None:
        self._api = api
        self._metrics = metrics
        self._told: OrderedDict[str, None] = OrderedDict()
        self._waiting: deque[tuple[EmitEvent, datetime]] = deque()
        self._not_empty = asyncio.Event()

    def emit(self, event: EmitEvent, now: datetime) -> None:
        """Have the event created, soon, unless it has been created before."""
        if len(self._waiting) == _REMEMBERED:
            self._waiting.popleft()
            self._metrics.count_event("dropped")
        self._waiting.append((event, now))
        self._not_empty.set()

    async def run(self) -> None:
        """Create events for ever."""
        while True:
            await self.flush()
            self._not_empty.clear()
            await self._not_empty.wait()

    async def flush(self) -> None:
        """Create all events that wait to be."""
        while self._waiting:
            await self._create(*self._waiting.popleft())

    async def _create(self, event: EmitEvent, now: datetime) -> None:
        manifest = _manifest(event, now)
        name: str = manifest["metadata"]["name"]
        told = f"{event.instance.key.namespace}/{name}"
        if told in self._told:
            return
        try:
            await self._api.create_event(manifest)
            self._metrics.count_event("created")
        except AlreadyExistsError:
            pass
        except ApiError as error:
            _log.info("%s: event %s was not created: %s", event.instance.key, name, error)
            self._metrics.count_event("failed")
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
