"""How the body of a verb is read: strict JSON, validated once."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, get_type_hints

from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from training_sandbox_server.errors import InvalidRequestError
from training_sandbox_server.protocol import VerbRequest
from training_sandbox_server.strict_json import parse

_NO_OBJECT = "the body must be a JSON object, sent with Content-Type: application/json"

_Request = TypeVar("_Request", bound=VerbRequest)


class VerbRoute(APIRoute):
    """A route whose endpoint takes one `VerbRequest`, and nothing else.

    FastAPI describes it, but does not read its body: its own way costs more than many a step.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:  # noqa: D102 (FastAPI's own)
        endpoint = self.endpoint
        model = get_type_hints(endpoint)["request"]

        async def handle(request: Request) -> Response:
            content_type = request.headers.get("content-type", "")
            return await endpoint(read(model, content_type, await request.body()))

        return handle


def read(model: type[_Request], content_type: str, body: bytes) -> _Request:
    """The request in a body.

    Raises:
        InvalidRequestError: It is none; the field is named.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise InvalidRequestError(_NO_OBJECT)
    try:
        value = parse(body)
    except json.JSONDecodeError as error:
        raise InvalidRequestError(f"the body is not JSON: {error.msg}") from error
    if not isinstance(value, dict):
        raise InvalidRequestError(_NO_OBJECT)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        told = problem["msg"].removeprefix("Value error, ")
        raise InvalidRequestError(f"{field}: {told}", field=field) from error
