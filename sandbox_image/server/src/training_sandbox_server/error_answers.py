"""The one way in which errors are answered."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from training_sandbox_server.errors import InternalError, InvalidRequestError, SandboxError
from training_sandbox_server.metrics import Metrics
from training_sandbox_server.strict_json import respond

Handler = Callable[[Request, Exception], Coroutine[Any, Any, Response]]


class ErrorAnswers:
    """Answers errors, each with its type and never with a reward, and counts them.

    Args:
        incarnation: Named in every answer.
        metrics: Count them by type.
    """

    def __init__(self, incarnation: str, metrics: Metrics) -> None:
        self._incarnation = incarnation
        self._metrics = metrics

    @property
    def handlers(self) -> dict[int | type[Exception], Handler]:
        """For FastAPI: what handles which exception."""
        return {
            SandboxError: self._answer_expected,
            HTTPException: self._answer_http_error,
            Exception: self._answer_unexpected,
        }

    def answer(
        self,
        error: SandboxError,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The answer to an error.

        Args:
            error: The error.
            status: Instead of its own.
            headers: Beside its own.
        """
        self._metrics.count_failure(error.type)
        return respond(
            error.body(self._incarnation),
            status=status or error.status,
            headers={**error.headers, **(headers or {})},
        )

    def unexpected(self) -> Response:
        """The answer to what is nobody's fault but the server's; it is to be logged."""
        return self.answer(InternalError("the server failed; its log says why"))

    async def _answer_expected(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, SandboxError):
            return await self._answer_unexpected(request, error)
        return self.answer(error)

    async def _answer_http_error(self, request: Request, error: Exception) -> Response:
        """Answers to paths and methods that do not exist."""
        if not isinstance(error, HTTPException):
            return await self._answer_unexpected(request, error)
        detail = f"{request.method} {request.url.path[:128]}: {error.detail}"
        return self.answer(
            InvalidRequestError(detail), status=error.status_code, headers=error.headers
        )

    async def _answer_unexpected(self, _: Request, __: Exception) -> Response:
        return self.unexpected()
