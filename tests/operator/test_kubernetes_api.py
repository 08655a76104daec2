"""Requests to the API server: their errors, their preconditions, their credentials."""

import asyncio
import socket
import sys

import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.operator.fake_cluster import FakeCluster
from training_sandbox_operator.cluster import errors
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.model.names import Key


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "BadRequest", errors.RejectedError),
        (403, "Forbidden", errors.RejectedError),
        (404, "NotFound", errors.NotFoundError),
        (409, "AlreadyExists", errors.AlreadyExistsError),
        (409, "Conflict", errors.ConflictError),
        (422, "Invalid", errors.RejectedError),
        (429, "TooManyRequests", errors.UnavailableError),
        (500, "InternalError", errors.UnavailableError),
        (504, "Timeout", errors.UnavailableError),
    ],
)
def test_errors_are_told_apart_by_what_is_to_be_done(
    status: int, reason: str, kind: type[errors.ApiError]
) -> None:
    answer = {"reason": reason, "message": "because"}
    error = errors.error_of(status, answer, text="", retry_after=None)
    assert type(error) is kind
    assert str(error) == f"{status} {reason}: because"


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (403, "ValidatingAdmissionPolicy 'a.b.leader.trainingsandbox.dev'", errors.NotLeadingError),
        (403, "ValidatingAdmissionPolicy 'somebody.elses'", errors.RejectedError),
        (403, "pod 'x.leader.trainingsandbox.dev' is over quota", errors.RejectedError),
        (422, "ValidatingAdmissionPolicy 'a.b.leader.trainingsandbox.dev'", errors.RejectedError),
    ],
)
def test_who_is_refused_as_no_leader_is_told_from_who_is_refused_a_pod(
    status: int, message: str, kind: type[errors.ApiError]
) -> None:
    answer = {"reason": "Forbidden", "message": f"pods 'x' is forbidden: {message}"}
    assert type(errors.error_of(status, answer, text="", retry_after=None)) is kind


def test_an_error_that_is_no_status_is_told_by_its_text() -> None:
    error = errors.error_of(502, {}, text="<h1>Bad Gateway</h1>", retry_after="7")
    assert error.message == "<h1>Bad Gateway</h1>"
    assert error.retry_after == 7


def test_nobody_is_made_to_wait_for_hours() -> None:
    assert errors.error_of(503, {}, text="", retry_after="3600").retry_after == 60


@pytest.mark.parametrize("retry_after", ["", "Wed, 21 Oct 2026 07:28:00 GMT", "-1"])
def test_a_pause_that_is_not_a_number_of_seconds_is_ignored(retry_after: str) -> None:
    assert errors.error_of(429, {}, text="", retry_after=retry_after).retry_after is None


async def test_an_api_server_that_is_not_there_is_unavailable() -> None:
    async with KubernetesApi(lambda: kopf.ConnectionInfo(server="http://127.0.0.1:1")) as api:
        with pytest.raises(errors.UnavailableError):
            await api.get_pod(Key("research", "demo"))


@pytest.mark.skipif(sys.platform != "linux", reason="kernels of other systems have no such option")
async def test_the_kernel_does_not_send_for_minutes_what_the_network_does_not_take(
    api: KubernetesApi, cluster: FakeCluster
) -> None:
    cluster.instance()
    _ = [page async for page in api.list_instances("research")]
    connector = api._session.connector
    assert connector is not None
    ((kept,),) = connector._conns.values()
    (protocol, _) = kept
    used = protocol.transport.get_extra_info("socket")
    assert used.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2500


@pytest.mark.parametrize("text", ["<h1>Welcome</h1>", "[]", ""])
async def test_an_answer_of_somebody_else_is_none(text: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text)

    app = web.Application()
    app.router.add_get("/api/v1/namespaces/research/pods/demo", answer)
    async with TestServer(app) as server:
        url = str(server.make_url(""))
        async with KubernetesApi(lambda: kopf.ConnectionInfo(server=url)) as api:
            with pytest.raises(errors.UnavailableError, match="no JSON object"):
                await api.get_pod(Key("research", "demo"))


async def test_another_pod_of_the_same_name_is_not_deleted(
    api: KubernetesApi, cluster: FakeCluster
) -> None:
    cluster._store("pods", {"metadata": {"namespace": "research", "name": "demo"}})
    with pytest.raises(errors.ConflictError):
        await api.delete_pod(Key("research", "demo"), uid="another")
    assert cluster.of_kind("pods")


async def test_an_instance_that_was_changed_meanwhile_is_not_deleted(
    api: KubernetesApi, cluster: FakeCluster
) -> None:
    metadata = cluster.instance()["metadata"]
    seen = int(metadata["resourceVersion"])
    cluster.change("traininginstances", "demo", lambda _: None)
    with pytest.raises(errors.ConflictError):
        await api.delete_instance(
            Key("research", "demo"), uid=metadata["uid"], resource_version=seen
        )
    assert cluster.of_kind("traininginstances")


async def test_credentials_that_have_expired_are_read_anew() -> None:
    tokens = iter(["old", "new"])
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        if seen[-1] == "Bearer old":
            return web.json_response({"reason": "Unauthorized"}, status=401)
        return web.json_response({"metadata": {}})

    app = web.Application()
    app.router.add_get("/api/v1/namespaces/research/pods/demo", answer)
    async with TestServer(app) as server:
        url = str(server.make_url(""))
        async with KubernetesApi(
            lambda: kopf.ConnectionInfo(server=url, token=next(tokens))
        ) as api:
            await api.get_pod(Key("research", "demo"))
            await api.get_pod(Key("research", "demo"))
    assert seen == ["Bearer old", "Bearer new", "Bearer new"]


async def test_when_the_api_server_asks_for_a_pause_no_other_write_is_sent() -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.method)
        return web.json_response({}, status=429, headers={"Retry-After": "5"})

    app = web.Application()
    app.router.add_route("*", "/api/v1/namespaces/research/pods/demo", answer)
    async with TestServer(app) as server:
        url = str(server.make_url(""))
        async with KubernetesApi(lambda: kopf.ConnectionInfo(server=url)) as api:
            with pytest.raises(errors.UnavailableError) as refused:
                await api.delete_pod(Key("research", "demo"), uid="one")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(api.delete_pod(Key("research", "demo"), uid="two"), 0.1)
    assert refused.value.retry_after == 5
    assert seen == ["DELETE"]
