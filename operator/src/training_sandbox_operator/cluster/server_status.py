"""What an instance's server is asked: its /status, and to play a task, /bind."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal

import aiohttp
from pydantic import BaseModel, Field, ValidationError

from training_sandbox_operator.model.server import ServerReply, TaskRefusal, TaskReport

_TIMEOUT = aiohttp.ClientTimeout(total=3, connect=1)
# As long as a server may take to open a task, SANDBOX_STEP_TIMEOUT_SECONDS, and a bit.
_BIND_TIMEOUT = aiohttp.ClientTimeout(total=110, connect=1)
# What a server says of a task that it will not play; anything else may be otherwise next time.
_REASONS = {
    "unknown_task": "UnknownTask",
    "unknown_env_type": "InvalidTask",
    "invalid_request": "InvalidTask",
    "internal": "TaskFailed",
    "step_deadline": "TaskFailed",
    "already_bound": "TaskFailed",
}
_LARGEST_ANSWER = 64 * 1024
_LONGEST_LIFE_SECONDS = 1e9
_OK = 200
_UNAUTHORIZED = 401


class ServerUnreachableError(Exception):
    """The server did not answer, or not as it should; the message says which."""


class _Slots(BaseModel):
    total: int
    used: int


class _Task(BaseModel):
    state: str
    steps: int
    reward: float | None = None
    finished: bool

    def to_report(self) -> TaskReport:
        return TaskReport(self.state, self.steps, self.reward, self.finished)


class _Data(BaseModel):
    incarnation: str
    phase: str
    slots: _Slots
    idle_seconds: Annotated[float, Field(ge=0, le=_LONGEST_LIFE_SECONDS)]
    task: _Task | None = None


class _Answer(BaseModel):
    success: Literal[True]
    data: _Data


class _Error(BaseModel):
    type: str


class _Refusal(BaseModel):
    success: Literal[False]
    detail: str
    error: _Error


def session_for_servers() -> aiohttp.ClientSession:
    """Return a session for any number of servers at once; how many is the caller's business.

    A connection is not kept: each server is asked minutes apart, and there are thousands.
    """
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))


async def ask_status(
    session: aiohttp.ClientSession,
    address: str,
    *,
    headers: Mapping[str, str],
    pod_uid: str,
    occasion: str,
    clock: Callable[[], datetime],
) -> ServerReply:
    """Return what the server at this address answers within three seconds.

    Args:
        session: any session.
        address: URL of the server, without a path.
        headers: with the operator's token, if the server wants one.
        pod_uid: the pod that is meant: an address may have gone to another one.
        occasion: goes into the reply.
        clock: the present time.

    Raises:
        ServerUnreachableError: no answer, a malformed one, or one of another pod.
    """
    body, status = await _fetch(
        session, "GET", f"{address}/status", content=None, headers=headers, limit=_TIMEOUT
    )
    return _read(body, status, address=address, pod_uid=pod_uid, occasion=occasion, at=clock())


async def bind_task(
    session: aiohttp.ClientSession,
    address: str,
    *,
    task: Mapping[str, object],
    headers: Mapping[str, str],
    pod_uid: str,
    occasion: str,
    clock: Callable[[], datetime],
) -> ServerReply | TaskRefusal:
    """Have the server at this address play one task, and return what it answers.

    Args:
        session: any session.
        address: URL of the server, without a path.
        task: the body of /bind.
        headers: with the operator's token, if the server wants one.
        pod_uid: the pod that is meant.
        occasion: goes into the reply.
        clock: the present time.

    Raises:
        ServerUnreachableError: no answer, or one that says that it is too early; ask again.
    """
    body, status = await _fetch(
        session, "POST", f"{address}/bind", content=task, headers=headers, limit=_BIND_TIMEOUT
    )
    if status == _OK:
        return _read(body, status, address=address, pod_uid=pod_uid, occasion=occasion, at=clock())
    try:
        refusal = _Refusal.model_validate_json(body)
    except ValidationError as error:
        raise ServerUnreachableError(f"{address}/bind answered {status}") from error
    reason = _REASONS.get(refusal.error.type)
    if reason is None:
        raise ServerUnreachableError(f"{address}/bind answered {status}: {refusal.detail}")
    return TaskRefusal(clock(), occasion, reason, refusal.detail)


async def _fetch(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    content: Mapping[str, object] | None,
    headers: Mapping[str, str],
    limit: aiohttp.ClientTimeout,
) -> tuple[bytes, int]:
    try:
        # A server may be of a user's image: it must not send the operator elsewhere.
        async with session.request(
            method, url, json=content, headers=headers, timeout=limit, allow_redirects=False
        ) as response:
            body, status = await _read_whole(response), response.status
    except TimeoutError as error:
        raise ServerUnreachableError(f"{url} did not answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise ServerUnreachableError(f"{url}: {error}") from error
    if status == _UNAUTHORIZED:
        raise ServerUnreachableError(
            f"{url} does not take the operator's token: the server is of another incarnation, or "
            "checks tokens by a former signing key, or the clocks differ by more than a minute"
        )
    return body, status


async def _read_whole(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > _LARGEST_ANSWER:
            raise ServerUnreachableError(
                f"{response.url} answered {response.status} with more than {_LARGEST_ANSWER} bytes"
            )
    return bytes(body)


def _read(
    body: bytes, status: int, *, address: str, pod_uid: str, occasion: str, at: datetime
) -> ServerReply:
    try:
        data = _Answer.model_validate_json(body).data
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"])
        raise ServerUnreachableError(
            f"{address} answered {status} with a malformed status: {field}: {fault['msg']}"
        ) from error
    if not data.incarnation.startswith(f"{pod_uid}-"):
        raise ServerUnreachableError(f"{address} is the server of another pod, {data.incarnation}")
    return ServerReply(
        at=at,
        occasion=occasion,
        phase=data.phase,
        idle=timedelta(seconds=data.idle_seconds),
        slots_total=data.slots.total,
        slots_used=data.slots.used,
        task=data.task.to_report() if data.task else None,
    )
