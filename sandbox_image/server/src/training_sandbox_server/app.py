"""The HTTP routes; each is a call of a verb and the shape of its answer."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from training_sandbox_server import __version__
from training_sandbox_server.errors import InternalError, InvalidRequestError, SandboxError
from training_sandbox_server.gateway import Gateway
from training_sandbox_server.incarnation import Incarnation
from training_sandbox_server.protocol import (
    Answer,
    Created,
    Released,
    Status,
    Stepped,
    VerbRequest,
)
from training_sandbox_server.strict_json import parse, respond


class StrictRequest(Request):
    """A request whose JSON is standard JSON."""

    async def json(self) -> object:  # noqa: D102 (Starlette's own)
        return parse(await self.body())


class StrictRoute(APIRoute):
    """A route of strict requests."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:  # noqa: D102 (FastAPI's own)
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return handle_strictly


def create_app(incarnation: Incarnation) -> Gateway:
    """The application that serves an incarnation."""
    app = FastAPI(
        title="Training Sandbox",
        version=__version__,
        redirect_slashes=False,
        redoc_url=None,
        exception_handlers={
            SandboxError: _answer_error,
            RequestValidationError: _answer_invalid,
            HTTPException: _answer_http_error,
            Exception: _answer_unexpected,
        },
    )
    app.include_router(_probes(incarnation))
    app.include_router(_verbs(incarnation))
    return Gateway(app, incarnation.name)


def _probes(incarnation: Incarnation) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz", summary="200 when the zygote can fork")
    async def healthz() -> Response:
        healthy = await incarnation.is_healthy()
        return respond({"healthy": healthy}, status=200 if healthy else 503)

    @router.get("/readyz", summary="200 when episodes can be played here")
    async def readyz() -> Response:
        reason = incarnation.unready
        if reason is not None:
            return respond({"ready": False, "reason": reason}, status=503)
        return respond({"ready": True})

    @router.get("/status", response_model=Answer[Status])
    @router.post("/status", response_model=Answer[Status], include_in_schema=False)
    async def status() -> Response:
        """The incarnation, its slots, when it was last used, how its bound task stands."""
        return _success(incarnation.status.model_dump())

    return router


def _verbs(incarnation: Incarnation) -> APIRouter:
    router = APIRouter(route_class=StrictRoute)

    @router.post("/get_env_profile", response_model=Answer[list[str]])
    async def get_env_profile(request: VerbRequest) -> Response:
        """The task ids of a split (`params.split`, `train` if it is missing)."""
        return _success(incarnation.verbs.task_ids(request))

    @router.post("/create", response_model=Answer[Created])
    async def create(request: VerbRequest) -> Response:
        """Start an episode of `task_id`; the same again is answered again."""
        episode = await incarnation.admitting_verbs.create(request)
        return _success(
            {
                "state": episode.initial_messages,
                "info": {"instance_id": episode.id, "task_id": episode.identity.task_id},
            }
        )

    @router.post("/step", response_model=Answer[Stepped])
    async def step(request: VerbRequest) -> Response:
        """Execute one action (`messages`) in the episode `instance_id`."""
        executed = await incarnation.admitting_verbs.step(request)
        return _success(
            {
                "state": [executed.message],
                "reward": executed.reward if executed.terminated else 0.0,
                "is_terminated": executed.terminated,
                "info": {},
            }
        )

    @router.post("/evaluate", response_model=Answer[float])
    async def evaluate(request: VerbRequest) -> Response:
        """Score what the episode `instance_id` achieved; `params.sparse`: all or nothing."""
        return _success(await incarnation.verbs.evaluate(request))

    @router.post("/get_info", response_model=Answer[str])
    async def get_info(request: VerbRequest) -> Response:
        """The description of the tools."""
        return _success(incarnation.verbs.tools(request))

    @router.post("/release", response_model=Released)
    async def release(request: VerbRequest) -> Response:
        """End the episode `instance_id`, whatever it is doing."""
        return respond({"success": await incarnation.verbs.release(request), "data": None})

    return router


def _success(data: object) -> Response:
    return respond({"success": True, "data": data})


async def _answer_error(_: Request, error: Exception) -> Response:
    told = error if isinstance(error, SandboxError) else InternalError("the server failed")
    return respond(told.body(), status=told.status, headers=told.headers)


async def _answer_unexpected(request: Request, _: Exception) -> Response:
    return await _answer_error(request, InternalError("the server failed; its log says why"))


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """Answers to paths and methods that do not exist."""
    if not isinstance(error, HTTPException):
        return await _answer_unexpected(request, error)
    detail = f"{request.method} {request.url.path[:128]}: {error.detail}"
    body = InvalidRequestError(detail).body()
    return respond(body, status=error.status_code, headers=error.headers)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        return await _answer_unexpected(request, error)
    problem = error.errors()[0]
    location = [str(part) for part in problem["loc"] if part != "body"]
    if problem["type"] == "json_invalid":
        invalid = InvalidRequestError(f"the body is not JSON: {problem['ctx']['error']}")
    elif location:
        field = ".".join(location)
        invalid = InvalidRequestError(f"{field}: {problem['msg']}", field=field)
    else:
        invalid = InvalidRequestError(
            "the body must be a JSON object, sent with Content-Type: application/json"
        )
    return await _answer_error(request, invalid)
