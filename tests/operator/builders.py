"""Objects as the API server would give them, with only what a specification is about spelt out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.pool_table import PoolTable
from training_sandbox_operator.decisions.pod_spec import build_claim, build_pod, build_warm_pod
from training_sandbox_operator.decisions.tokens import build_token_secret
from training_sandbox_operator.model.catalogue import Allowances, Catalogue, Environment
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.server import ServerReply, TaskReport
from training_sandbox_operator.model.situation import Situation
from training_sandbox_operator.model.timestamps import format_timestamp
from training_sandbox_operator.model.token_secret import TokenSecret

CREATED = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
UID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
POOL_UID = "9a9b9c9d-0000-1111-2222-333344445555"
POD_UID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
APPWORLD = Environment.model_validate(
    {"image": "registry.example/appworld:1", "slots": 16, "tmpSize": "2Gi", "startupSeconds": 60}
)
PUBLIC_KEY = "PublicKeyOfThisOperator"
CATALOGUE = Catalogue(
    environments={"appworld": APPWORLD}, allowed=Allowances(images=("*",), env=("*",))
)


def after(seconds: float) -> datetime:
    return CREATED + timedelta(seconds=seconds)


def instance(
    *,
    name: str = "demo",
    uid: str = UID,
    status: dict[str, Any] | None = None,
    deleting: bool = False,
    resource_version: int = 10,
    generation: int = 1,
    **spec: Any,
) -> TrainingInstance:
    metadata = {
        "namespace": "research",
        "name": name,
        "uid": uid,
        "generation": generation,
        "creationTimestamp": format_timestamp(CREATED),
        "resourceVersion": str(resource_version),
    }
    if deleting:
        metadata["deletionTimestamp"] = format_timestamp(CREATED)
    return TrainingInstance.from_api(
        {
            "metadata": metadata,
            "spec": {"envType": "appworld", **spec},
            "status": status or {},
        }
    )


def ready_status(**extra: Any) -> dict[str, Any]:
    return {
        "phase": "Ready",
        "podUID": POD_UID,
        "podName": "demo-0f1e2d3c",
        "readyAt": format_timestamp(after(10)),
        "incarnation": f"{POD_UID}-0",
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "ServerReady",
                "message": "the server serves",
                "lastTransitionTime": format_timestamp(after(10)),
            }
        ],
        **extra,
    }


def terminal_status(phase: str, *, finished_at: datetime, **extra: Any) -> dict[str, Any]:
    return ready_status(
        **{"phase": phase, "finishedAt": format_timestamp(finished_at), **extra},
    )


def pod_manifest(
    of: TrainingInstance,
    *,
    uid: str = POD_UID,
    resource_version: int = 20,
    node: str | None = "worker-1",
    status: dict[str, Any] | None = None,
    created_at: datetime | None = None,
    terminates_at: datetime | None = None,
    public_key: str | None = None,
) -> dict[str, Any]:
    manifest = build_pod(of, APPWORLD, public_key=public_key)
    manifest["metadata"] |= {"uid": uid, "resourceVersion": str(resource_version)}
    if created_at is not None:
        manifest["metadata"]["creationTimestamp"] = format_timestamp(created_at)
    if terminates_at is not None:
        manifest["metadata"]["deletionTimestamp"] = format_timestamp(terminates_at)
    if node is not None:
        manifest["spec"]["nodeName"] = node
    manifest["status"] = status or {"phase": "Pending"}
    return manifest


def pod(of: TrainingInstance, **details: Any) -> Pod:
    return Pod.from_api(pod_manifest(of, **details))


def pod_status(
    *,
    phase: str = "Running",
    ready: bool = False,
    ready_changed_at: datetime = CREATED,
    ip: str = "10.0.0.7",
    conditions: list[dict[str, Any]] | None = None,
    **container: Any,
) -> dict[str, Any]:
    return {
        "phase": phase,
        "podIP": ip,
        "conditions": [
            {
                "type": "Ready",
                "status": "True" if ready else "False",
                "lastTransitionTime": format_timestamp(ready_changed_at),
            },
            *(conditions or []),
        ],
        "containerStatuses": [{"name": "server", "restartCount": 0, **container}],
    }


def running(since: datetime = CREATED) -> dict[str, Any]:
    return {"running": {"startedAt": format_timestamp(since)}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def terminated(
    exit_code: int = 1, reason: str = "Error", message: str = "", at: datetime = CREATED
) -> dict[str, Any]:
    return {
        "terminated": {
            "exitCode": exit_code,
            "reason": reason,
            "message": message,
            "finishedAt": format_timestamp(at),
        }
    }


def serving() -> dict[str, Any]:
    return pod_status(ready=True, ready_changed_at=after(10), started=True, state=running(after(5)))


def serving_again(exit_code: int, reason: str) -> dict[str, Any]:
    """A server whose container has ended once."""
    return pod_status(
        restartCount=1,
        started=True,
        ready=True,
        ready_changed_at=after(20),
        state=running(after(15)),
        lastState=terminated(exit_code, reason),
    )


def unready(since: datetime) -> dict[str, Any]:
    """A server that has served and does not any more, though it runs."""
    return pod_status(ready=False, ready_changed_at=since, started=True, state=running(after(5)))


def reply(
    at: datetime,
    *,
    idle: float = 0.0,
    occasion: str = "idle deadline",
    phase: str = "serving",
    used: int = 0,
    task: TaskReport | None = None,
) -> ServerReply:
    return ServerReply(
        at=at,
        occasion=occasion,
        phase=phase,
        idle=timedelta(seconds=idle),
        slots_total=16,
        slots_used=used,
        task=task,
    )


def cache(on_change: Callable[[Key], None]) -> Cache:
    """A cache that knows of no pools."""

    def ignore(_: Key) -> None:
        pass

    return Cache(
        on_change,
        PoolTable(on_change=ignore, on_claims=ignore, on_news=ignore, clock=lambda: CREATED),
    )


def pool(
    *,
    name: str = "warm",
    uid: str = POOL_UID,
    status: dict[str, Any] | None = None,
    deleting: bool = False,
    resource_version: int = 10,
    **spec: Any,
) -> TrainingPool:
    metadata = {
        "namespace": "research",
        "name": name,
        "uid": uid,
        "generation": 1,
        "resourceVersion": str(resource_version),
    }
    if deleting:
        metadata["deletionTimestamp"] = format_timestamp(CREATED)
    return TrainingPool.from_api(
        {
            "metadata": metadata,
            "spec": {"envType": "appworld", **spec},
            "status": status or {},
        }
    )


def warm_pod_manifest(
    of: TrainingPool,
    number: int = 0,
    *,
    created_at: datetime = CREATED,
    environment: Environment = APPWORLD,
    status: dict[str, Any] | None = None,
    terminates_at: datetime | None = None,
    public_key: str | None = None,
) -> dict[str, Any]:
    manifest = build_warm_pod(of, environment, number, public_key)
    manifest["metadata"] |= {
        "uid": f"warm-{number}",
        "resourceVersion": str(100 + number),
        "creationTimestamp": format_timestamp(created_at),
    }
    if terminates_at is not None:
        manifest["metadata"]["deletionTimestamp"] = format_timestamp(terminates_at)
    manifest["spec"]["nodeName"] = "worker-1"
    manifest["status"] = status or serving()
    return manifest


def warm_pod(of: TrainingPool, number: int = 0, **details: Any) -> Pod:
    return Pod.from_api(warm_pod_manifest(of, number, **details))


def claimed_pod(of: TrainingInstance, pool: TrainingPool, number: int = 0, **details: Any) -> Pod:
    """A warm pod that the instance has claimed."""
    manifest = warm_pod_manifest(pool, number, **details)
    for change in build_claim(of, resource_version=1):
        if change["path"].endswith("ownerReferences"):
            manifest["metadata"]["ownerReferences"] = change["value"]
    return Pod.from_api(manifest)


def token_secret(
    of: TrainingInstance,
    incarnation: str = f"{POD_UID}-0",
    *,
    public_key: str = PUBLIC_KEY,
    uid: str = "secret",
    **metadata: Any,
) -> TokenSecret:
    """The Secret that an operator makes; ``metadata`` replaces parts of its own."""
    manifest = build_token_secret(of, incarnation, public_key=public_key, token="t")
    more = {"uid": uid, "resourceVersion": "30", **metadata}
    return TokenSecret.from_api({"metadata": {**manifest["metadata"], **more}})


def situation(of: TrainingInstance | None, *pods: Pod, **more: Any) -> Situation:
    environment = CATALOGUE.get(of.env_type) if of is not None else None
    return Situation(
        of, pods, **{"environment": environment, "known_environments": CATALOGUE.names, **more}
    )
