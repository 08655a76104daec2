"""From an HTTP answer to its data, or to the exception that it stands for. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from training_sandbox._exceptions import (
    ClusterUnavailable,
    ConnectionFailed,
    EpisodeExists,
    EpisodeExpired,
    EpisodeLost,
    EpisodeNotFound,
    EpisodeReleased,
    EpisodeTerminated,
    EvaluationFailed,
    ForkUnsupported,
    InstanceRejected,
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
    Unauthorized,
    Unavailable,
    UnknownEnvironment,
    UnknownSplit,
    UnknownTask,
)
from training_sandbox._json import JsonObject, as_object, as_text, dig

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from training_sandbox._direct import Response

INCARNATION_HEADER = "x-sandbox-incarnation"
EXPECTED_INCARNATION_HEADER = "x-sandbox-expect-incarnation"
"""On a request: another incarnation than this answers ``episode_lost``, whatever was asked."""

_BY_TYPE: Mapping[str, type[TrainingSandboxError]] = {
    "invalid_request": InvalidRequest,
    "unauthorized": Unauthorized,
    "forbidden": Unauthorized,
    "unknown_task": UnknownTask,
    "unknown_split": UnknownSplit,
    "unknown_env_type": UnknownEnvironment,
    "episode_not_found": EpisodeNotFound,
    "already_bound": InvalidRequest,
    "episode_exists": EpisodeExists,
    "out_of_order": OutOfOrder,
    "episode_terminated": EpisodeTerminated,
    "episode_released": EpisodeReleased,
    "episode_expired": EpisodeExpired,
    "episode_lost": EpisodeLost,
    "full": SandboxFull,
    "fork_unsupported": ForkUnsupported,
    "draining": SandboxDraining,
    "booting": SandboxBooting,
    "step_deadline": StepDeadlineExceeded,
    "evaluation_failed": EvaluationFailed,
    "payload_too_large": PayloadTooLarge,
    "internal": ServerFault,
}

_NOT_NOW_BY_STATUS: Mapping[int, str] = {
    HTTPStatus.REQUEST_TIMEOUT: "the Kubernetes API had no time",
    HTTPStatus.TOO_MANY_REQUESTS: "the Kubernetes API has too much to do",
}

_JSON_LINES = "application/x-ndjson"
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


def read_answer(response: Response) -> Answer:
    """Return the answer's data.

    Raises:
        TrainingSandboxError: what the answer stands for when it is not a success.
    """
    if response.status >= _CLIENT_ERRORS:
        raise _error(response)
    body = _object(response.content)
    success = body.get("success")
    if not isinstance(success, bool):
        raise _unlike("a sandbox's answer", response)
    incarnation = response.headers.get(INCARNATION_HEADER)
    return Answer(success, body.get("data"), as_text(body.get("detail")), incarnation)


def read_json_lines(response: Response) -> str:
    """Return the text of an answer that is JSON Lines, not one object.

    Raises:
        TrainingSandboxError: what the answer stands for when it is not a success.
    """
    if response.status >= _CLIENT_ERRORS:
        raise _error(response)
    if not response.headers.get("content-type", "").startswith(_JSON_LINES):
        raise _unlike("JSON Lines", response)
    return response.content.decode(errors="replace")


def kubernetes_error(response: httpx.Response) -> InstanceRejected | ClusterUnavailable:
    """Return what an error of the Kubernetes API stands for: a refusal, or that it has no answer.

    Its body is a Status, except where the API knows no such path, or is not what answers.
    """
    status, body = response.status_code, _object(response.content)
    message = as_text(body.get("message")) or response.text.strip()[:200]
    failed = "the Kubernetes API fails" if status >= _SERVER_ERRORS else None
    if not_now := _NOT_NOW_BY_STATUS.get(status, failed):
        return ClusterUnavailable(
            f"{not_now}: HTTP {status}: {message}",
            passing=True,
            retry_after=_seconds(response.headers.get("retry-after")),
        )
    if status == HTTPStatus.NOT_FOUND and not dig(body, "details", "name"):
        return ClusterUnavailable(
            "the cluster has no TrainingInstance: install the operator's Helm chart first"
        )
    return InstanceRejected(message or f"HTTP {status}")


def _object(content: bytes) -> JsonObject:
    try:
        return as_object(json.loads(content))
    except ValueError:
        return {}


def _error(response: Response) -> TrainingSandboxError:
    status, body = response.status, _object(response.content)
    fields = as_object(body.get("error"))
    detail = body.get("detail")
    sentence = detail if isinstance(detail, str) else f"HTTP {status}: {detail or 'no details'}"
    kind = _BY_TYPE.get(as_text(fields.get("type"))) or _kind_of_foreign_answer(status, detail)
    incarnation = response.headers.get(INCARNATION_HEADER)
    error = kind(sentence, details={**fields, "incarnation": incarnation})
    if isinstance(error, Unavailable):
        error.retry_after = _seconds(response.headers.get("retry-after"))
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


def _unlike(expected: str, response: Response) -> InvalidAnswer:
    return InvalidAnswer(f"HTTP {response.status} without {expected}: {response.content[:200]!r}")


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None
