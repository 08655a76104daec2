"""How a verb is called: with its body, strict JSON, validated once."""

import functools
import json
from typing import TypeVar, get_type_hints

from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.responses import Response

from training_sandbox_server.errors import InvalidRequestError
from training_sandbox_server.protocol import VerbRequest
from training_sandbox_server.strict_json import parse

_NO_OBJECT = "the body must be a JSON object, sent with Content-Type: application/json"

_Request = TypeVar("_Request", bound=VerbRequest)


class VerbRoute(APIRoute):
    """A route whose endpoint takes one `VerbRequest`, and nothing else.

    FastAPI describes it. It is called without FastAPI, whose way there costs more than many a step.
    """

    @functools.cached_property
    def _model(self) -> type[VerbRequest]:
        return get_type_hints(self.endpoint)["request"]

    async def call(self, content_type: str, body: bytes) -> Response:
        """The answer to a request.

        Raises:
            SandboxError: What the caller is to be told.
        """
        return await self.endpoint(read(self._model, content_type, body))


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
