"""What a request to the API server can end with, by what is to be done about it."""

from collections.abc import Mapping
from typing import Any

from training_sandbox_operator.cluster.leader_mark import is_refused_by_mark

# A gateway in front of the server may ask for an hour.
_LONGEST_RETRY_AFTER = 60.0


class ApiError(Exception):
    """The API server refused a request, or did not answer it.

    Attributes:
        status: the HTTP status, 0 when there was no answer.
        reason: the machine-readable reason of the answer's Status, for example AlreadyExists.
        message: the answer's sentence.
        retry_after: seconds to wait that the server asks for, if it does; at most 60.
    """

    def __init__(
        self, status: int, reason: str, message: str, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{status} {reason}: {message}" if status else message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class NotFoundError(ApiError):
    """404: the object is gone."""


class AlreadyExistsError(ApiError):
    """409 on a creation: an object of that name is there."""


class ConflictError(ApiError):
    """409: the object is not the one, or not in the version, that was meant."""


class RejectedError(ApiError):
    """400, 403, 422: the request is understood and not allowed; the same one will fail again."""


class ExpiredError(ApiError):
    """410: the version or the page that was asked for is forgotten; list everything anew."""


class UnavailableError(ApiError):
    """429, 5xx, a lost connection, a timeout: it may or may not have been done; try again."""


class NotLeadingError(ApiError):
    """A write was not sent, or was refused: this process may not write, not yet or not any more."""


class OutdatedError(ApiError):
    """A write was not sent: its reason did not last until its turn; decide anew."""


def error_of(
    status: int, answer: Mapping[str, Any], *, text: str, retry_after: str | None
) -> ApiError:
    """Return the error that an answer with this HTTP status stands for.

    Args:
        status: at least 400.
        answer: the ``metav1.Status`` in the body, empty when the body is something else.
        text: the body, for the case that it is something else.
        retry_after: the header of that name.
    """
    reason: str = answer.get("reason") or "Unknown"
    message: str = answer.get("message") or text.strip()[:500] or f"HTTP {status}"
    kind: type[ApiError] = UnavailableError
    if status == 404:  # noqa: PLR2004 — HTTP statuses read best as numbers
        kind = NotFoundError
    elif status == 409:  # noqa: PLR2004
        kind = AlreadyExistsError if reason == "AlreadyExists" else ConflictError
    elif status == 410:  # noqa: PLR2004
        kind = ExpiredError
    elif status in {400, 403, 405, 413, 415, 422}:
        kind = RejectedError
    if status == 403 and is_refused_by_mark(message):  # noqa: PLR2004
        kind, reason = NotLeadingError, "NotLeading"
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    if seconds is not None:
        seconds = min(seconds, _LONGEST_RETRY_AFTER)
    return kind(status, reason, message, seconds)
