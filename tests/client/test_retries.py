"""What is tried again, until when, and what it is called in the end."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from starlette.responses import PlainTextResponse

from tests.client.support.cutting_proxy import Cut
from training_sandbox import (
    AsyncTrainingSandbox,
    CallTimedOut,
    ConnectionFailed,
    EpisodeExpired,
    EpisodeLost,
    EvaluationFailed,
    ForkUnsupported,
    InvalidAnswer,
    InvalidRequest,
    OutOfOrder,
    PayloadTooLarge,
    SandboxBooting,
    SandboxDraining,
    SandboxFull,
    ServerFault,
    StepDeadlineExceeded,
    TrainingSandboxError,
    UnknownEnvironment,
)

if TYPE_CHECKING:
    from tests.client.support.cutting_proxy import CuttingProxy
    from tests.client.support.stub_server import Fault, StubServer


def error(status: int, kind: str, **fields: object) -> Fault:
    return lambda server: server.error(status, kind, **fields)


def raw(status: int, text: str) -> Fault:
    return lambda _: PlainTextResponse(text, status)


async def test_a_slot_that_becomes_free_is_waited_for(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    full = error(429, "full", retry_after=0)
    server.misbehave("create", full, full)
    await box.create_instance(task_id="task_1")
    assert len(server.sent("create")) == 3
    assert len(server.episodes) == 1


async def test_a_server_that_stays_full_is_full_in_the_end(
    endpoint: str, server: StubServer
) -> None:
    server.slots = 0
    async with AsyncTrainingSandbox(endpoint=endpoint, request_timeout=3) as box:
        with pytest.raises(SandboxFull):
            await box.create_instance(task_id="task_1")


async def test_a_wait_that_does_not_fit_in_the_deadline_is_not_begun(
    endpoint: str, server: StubServer
) -> None:
    server.misbehave("create", error(429, "full", retry_after=60))
    async with AsyncTrainingSandbox(endpoint=endpoint, request_timeout=5) as box:
        with pytest.raises(SandboxFull) as caught:
            await box.create_instance(task_id="task_1")
    assert caught.value.retry_after == 60
    assert len(server.sent("create")) == 1


async def test_a_booting_server_is_waited_for(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    server.misbehave("get_env_profile", error(503, "booting", retry_after=0))
    assert await box.get_env_profile() == ["task_1", "task_2"]


async def test_a_server_that_stays_booting_is_booting_in_the_end(
    endpoint: str, server: StubServer
) -> None:
    server.misbehave("get_info", *[error(503, "booting", retry_after=0)] * 50)
    async with AsyncTrainingSandbox(endpoint=endpoint, request_timeout=3) as box:
        with pytest.raises(SandboxBooting):
            await box.get_tools_info()


async def test_a_draining_server_takes_no_new_episode(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    server.misbehave("create", error(503, "draining"))
    with pytest.raises(SandboxDraining):
        await box.create_instance(task_id="task_1")
    assert len(server.sent("create")) == 1


async def test_an_episode_of_a_draining_server_learns_what_becomes_of_it(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    created = await box.create_instance(task_id="task_1")
    server.misbehave("step", error(503, "draining"))
    server.misbehave("step", lambda stub: stub.restart() or stub.error(503, "booting"))
    with pytest.raises(EpisodeLost):
        await box.step(created["info"]["instance_id"], "a")


async def test_a_gateways_error_is_tried_again(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    server.misbehave("get_info", raw(502, "<html>Bad Gateway</html>"))
    assert await box.get_tools_info() == "the tools"


async def test_a_server_that_vanishes_is_a_failed_connection(
    fragile_box: AsyncTrainingSandbox, proxy: CuttingProxy
) -> None:
    proxy.cut_next(*[Cut.BEFORE_REQUEST] * 100)
    with pytest.raises(ConnectionFailed):
        await fragile_box.get_tools_info()


async def test_a_server_that_stays_silent_has_timed_out(proxied: str, proxy: CuttingProxy) -> None:
    async with AsyncTrainingSandbox(endpoint=proxied, request_timeout=3) as box:
        proxy.cut_next(*[Cut.SILENT] * 10)
        with pytest.raises(CallTimedOut):
            await box.get_tools_info()


async def test_nothing_at_the_endpoint_is_said_at_the_start() -> None:
    with pytest.raises(ConnectionFailed, match=r"no server answers at http://127.0.0.1:9"):
        await AsyncTrainingSandbox(endpoint="http://127.0.0.1:9").start()


async def test_a_name_that_stands_for_no_address_is_said_at_the_start() -> None:
    with pytest.raises(ConnectionFailed, match=r"(?i)name|address"):
        await AsyncTrainingSandbox(endpoint="http://nonesuch.invalid").start()


async def test_a_server_on_this_machine_is_not_looked_for_behind_a_proxy(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with AsyncTrainingSandbox(endpoint=endpoint) as box:
        assert await box.get_tools_info() == "the tools"


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "ftp://host", "http://:bad:", ""])
async def test_an_endpoint_that_is_no_url_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match="endpoint"):
        await AsyncTrainingSandbox(endpoint=address).start()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (error(400, "invalid_request"), InvalidRequest),
        (error(404, "unknown_env_type"), UnknownEnvironment),
        (error(409, "out_of_order"), OutOfOrder),
        (error(410, "episode_lost"), EpisodeLost),
        (error(410, "episode_expired"), EpisodeExpired),
        (error(413, "payload_too_large"), PayloadTooLarge),
        (error(500, "evaluation_failed"), EvaluationFailed),
        (error(500, "internal"), ServerFault),
        (error(501, "fork_unsupported"), ForkUnsupported),
        (error(504, "step_deadline"), StepDeadlineExceeded),
        (error(418, "of_the_future"), InvalidRequest),
        (error(500, "of_the_future"), ServerFault),
        (raw(200, "<html>a login page</html>"), InvalidAnswer),
        (raw(200, '{"success": true, "data": {"state": []}}'), InvalidAnswer),
        (raw(200, "[]"), InvalidAnswer),
        (raw(404, "Not Found"), InvalidAnswer),
    ],
)
async def test_an_answer_is_raised_as_what_it_means_and_not_asked_for_again(
    box: AsyncTrainingSandbox,
    server: StubServer,
    fault: Fault,
    kind: type[TrainingSandboxError],
) -> None:
    created = await box.create_instance(task_id="task_1")
    server.misbehave("step", fault)
    with pytest.raises(kind) as caught:
        await box.step(created["info"]["instance_id"], "a")
    assert type(caught.value) is kind
    assert len(server.sent("step")) == 1


async def test_an_error_survives_the_way_to_another_process(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    server.misbehave("create", error(409, "out_of_order", expected_step_index=7))
    with pytest.raises(OutOfOrder) as caught:
        await box.create_instance(task_id="task_1")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(copy, OutOfOrder)
    assert (str(copy), copy.expected_step_index) == ("out_of_order!", 7)
