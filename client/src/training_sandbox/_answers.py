"""From an HTTP answer to its data, or to the exception that it stands for. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training_sandbox._exceptions import (
    ConnectionFailed,
    EpisodeExists,
    EpisodeExpired,
    EpisodeLost,
    EpisodeNotFound,
    EpisodeReleased,
    EpisodeTerminated,
    EvaluationFailed,
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
    Unavailable,
    UnknownEnvironment,
    UnknownSplit,
    UnknownTask,
)
from training_sandbox._json import JsonObject, as_object, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

INCARNATION_HEADER = "X-Sandbox-Incarnation"

_BY_TYPE: Mapping[str, type[TrainingSandboxError]] = {
    "invalid_request": InvalidRequest,
    "unknown_task": UnknownTask,
    "unknown_split": UnknownSplit,
    "unknown_env_type": UnknownEnvironment,
    "episode_not_found": EpisodeNotFound,
    "episode_exists": EpisodeExists,
    "out_of_order": OutOfOrder,
    "episode_terminated": EpisodeTerminated,
    "episode_released": EpisodeReleased,
    "episode_expired": EpisodeExpired,
    "episode_lost": EpisodeLost,
    "full": SandboxFull,
    "draining": SandboxDraining,
    "booting": SandboxBooting,
    "step_deadline": StepDeadlineExceeded,
    "evaluation_failed": EvaluationFailed,
    "payload_too_large": PayloadTooLarge,
    "internal": ServerFault,
}

_BAD_GATEWAYS = frozenset({502, 503, 504})
_SERVER_ERRORS = 500
_CLIENT_ERRORS = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered to a verb that it accepted.

    ``success`` is False only in the old protocol's manner: HTTP 200 and nothing done.
    """

    success: bool
    data: object
    detail: str
    incarnation: str | None


def read_answer(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    """Return the answer's data.

    Raises:
        TrainingSandboxError: what the answer stands for when it is not a success.
    """
    incarnation = headers.get(INCARNATION_HEADER)
    body = _object(content)
    if status >= _CLIENT_ERRORS:
        raise _error(status, headers, body, incarnation)
    success = body.get("success")
    if not isinstance(success, bool):
        raise InvalidAnswer(f"HTTP {status} without a sandbox's answer: {content[:200]!r}")
    return Answer(success, body.get("data"), as_text(body.get("detail")), incarnation)


def _object(content: bytes) -> JsonObject:
    try:
        return as_object(json.loads(content))
    except ValueError:
        return {}


def _error(
    status: int, headers: Mapping[str, str], body: JsonObject, incarnation: str | None
) -> TrainingSandboxError:
    fields = as_object(body.get("error"))
    detail = body.get("detail")
    sentence = detail if isinstance(detail, str) else f"HTTP {status}: {detail or 'no details'}"
    kind = _BY_TYPE.get(as_text(fields.get("type"))) or _kind_of_foreign_answer(status, detail)
    error = kind(sentence, details={**fields, "incarnation": incarnation})
    if isinstance(error, Unavailable):
        error.retry_after = _seconds(headers.get("Retry-After"))
    if isinstance(error, OutOfOrder):
        expected = fields.get("expected_step_index")
        error.expected_step_index = expected if isinstance(expected, int) else None
    return error


def _kind_of_foreign_answer(status: int, detail: object) -> type[TrainingSandboxError]:
    """Classify an error without our body: a gateway before the server, or another server."""
    if status in _BAD_GATEWAYS:
        return ConnectionFailed
    if status >= _SERVER_ERRORS:
        return ServerFault
    return InvalidRequest if detail else InvalidAnswer


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None
