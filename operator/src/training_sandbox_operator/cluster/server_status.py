"""The /status of an instance's server."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal

import aiohttp
from pydantic import BaseModel, Field, ValidationError

from training_sandbox_operator.model.server import ServerReply, TaskReport

_TIMEOUT = aiohttp.ClientTimeout(total=3, connect=1)
_LARGEST_ANSWER = 64 * 1024


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
    idle_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    task: _Task | None = None


class _Answer(BaseModel):
    success: Literal[True]
    data: _Data


async def ask_status(
    session: aiohttp.ClientSession,
    address: str,
    *,
    pod_uid: str,
    occasion: str,
    clock: Callable[[], datetime],
) -> ServerReply:
    """Return what the server at this address answers within three seconds.

    Args:
        session: any session; the server wants no credentials.
        address: URL of the server, without a path.
        pod_uid: the pod that is meant: an address may have gone to another one.
        occasion: goes into the reply.
        clock: the present time.

    Raises:
        ServerUnreachableError: no answer, a malformed one, or one of another pod.
    """
    try:
        async with session.get(f"{address}/status", timeout=_TIMEOUT) as response:
            body = await response.content.read(_LARGEST_ANSWER)
            status = response.status
    except TimeoutError as error:
        raise ServerUnreachableError(f"{address} did not answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise ServerUnreachableError(f"{address}: {error}") from error
    at = clock()
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
