"""The HTTP routes; each is a call of a verb and the shape of its answer."""

from fastapi import APIRouter, FastAPI
from starlette.responses import Response, StreamingResponse

from training_sandbox_server import __version__
from training_sandbox_server.bearer_tokens import Doorkeeper
from training_sandbox_server.episode import Episode
from training_sandbox_server.error_answers import ErrorAnswers
from training_sandbox_server.gateway import Gateway
from training_sandbox_server.incarnation import Incarnation
from training_sandbox_server.metrics import CONTENT_TYPE
from training_sandbox_server.protocol import (
    Accepted,
    Answer,
    Branches,
    Created,
    ForkRequest,
    Group,
    GroupRequest,
    PrepareRequest,
    Released,
    Status,
    Stepped,
    VerbRequest,
)
from training_sandbox_server.strict_json import respond
from training_sandbox_server.verb_route import VerbRoute


def create_app(incarnation: Incarnation, doorkeeper: Doorkeeper | None) -> Gateway:
    """The application that serves an incarnation, to those whom the doorkeeper lets pass."""
    errors = ErrorAnswers(incarnation.name, incarnation.metrics)
    app = FastAPI(
        title="Training Sandbox",
        version=__version__,
        redirect_slashes=False,
        redoc_url=None,
        exception_handlers=errors.handlers,
    )
    routers = [make(incarnation) for make in (_playing, _several, _looking, _probes)]
    for router in routers:
        app.include_router(router)
    verbs = {
        route.path: route.call
        for router in routers
        for route in router.routes
        if isinstance(route, VerbRoute)
    }
    return Gateway(app, verbs, incarnation.name, errors, doorkeeper)


def _playing(incarnation: Incarnation) -> APIRouter:
    router = APIRouter(route_class=VerbRoute)

    @router.post("/step", response_model=Answer[Stepped])
    async def step(request: VerbRequest) -> Response:
        """Execute one action (`messages`) in the episode `instance_id`.

        `reward` is 0.0 until the step that ends the task, which carries the evaluation's.
        """
        executed, reward = await incarnation.admitting_verbs(request).step(request)
        truncated = {"truncated": True} if executed.truncated else {}
        return _success(
            {
                "state": [executed.message],
                "reward": reward,
                "is_terminated": executed.terminated,
                "info": {"incarnation": incarnation.name, **truncated},
            }
        )

    @router.post("/bind", response_model=Answer[Status])
    async def bind(request: VerbRequest) -> Response:
        """Open `task_id` as the episode `instance_id`, and play nothing else from now on.

        For servers that were started before anybody knew what they would play. The same again is
        answered again.
        """
        await incarnation.binding_verbs(request).bind(request)
        return _success(incarnation.status.model_dump())

    @router.post("/create", response_model=Answer[Created])
    async def create(request: VerbRequest) -> Response:
        """Start an episode of `task_id`; the same again is answered again."""
        episode = await incarnation.admitting_verbs(request).create(request)
        return _success(_begun(episode, incarnation.name))

    @router.post("/evaluate", response_model=Answer[float])
    async def evaluate(request: VerbRequest) -> Response:
        """Score what the episode `instance_id` achieved; `params.sparse`: all or nothing."""
        return _success(await incarnation.verbs(request).evaluate(request))

    @router.post("/release", response_model=Released)
    async def release(request: VerbRequest) -> Response:
        """End the episode `instance_id`, whatever it is doing."""
        released = await incarnation.verbs(request).release(request)
        return respond({"success": released, "data": None})

    return router


def _several(incarnation: Incarnation) -> APIRouter:
    router = APIRouter(route_class=VerbRoute)

    @router.post("/create_group", response_model=Answer[Group])
    async def create_group(request: GroupRequest) -> Response:
        """Start `n` episodes of `task_id`, or none; the same again is answered again."""
        episodes = await incarnation.admitting_verbs(request).create_group(request)
        return _success({"episodes": [_begun(it, incarnation.name) for it in episodes]})

    @router.post("/fork", response_model=Answer[Branches])
    async def fork(request: ForkRequest) -> Response:
        """Let `n` new episodes go on from where the episode `instance_id` stands, or none."""
        branches = await incarnation.admitting_verbs(request).fork(request)
        return _success({"episodes": [_begun(it, incarnation.name) for it in branches]})

    @router.post("/prepare", response_model=Answer[Accepted])
    async def prepare(request: PrepareRequest) -> Response:
        """Get ready to create episodes of `task_ids`, in the background."""
        accepted = incarnation.admitting_verbs(request).prepare(request)
        return _success({"accepted": accepted})

    return router


def _looking(incarnation: Incarnation) -> APIRouter:
    router = APIRouter(route_class=VerbRoute)

    @router.post("/get_env_profile", response_model=Answer[list[str]])
    async def get_env_profile(request: VerbRequest) -> Response:
        """The task ids of a split (`params.split`, `train` if it is missing)."""
        return _success(incarnation.verbs(request).task_ids(request))

    @router.post("/get_info", response_model=Answer[str])
    async def get_info(request: VerbRequest) -> Response:
        """The description of the tools."""
        return _success(await incarnation.verbs(request).tools(request))

    @router.post("/trajectory", summary="What happened in an episode, as JSON Lines")
    async def trajectory(request: VerbRequest) -> Response:
        """The steps, evaluations and errors of the episode `instance_id`, in order."""
        lines = await incarnation.verbs(request).trajectory(request)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    return router


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

    @router.get("/metrics", summary="For Prometheus")
    async def metrics() -> Response:
        await incarnation.update_metrics()
        return Response(incarnation.metrics.text(), media_type=CONTENT_TYPE)

    return router


def _begun(episode: Episode, incarnation: str) -> dict[str, object]:
    """An episode as it was when it began."""
    info: dict[str, object] = {
        "instance_id": episode.id,
        "task_id": episode.identity.task_id,
        "incarnation": incarnation,
    }
    origin = episode.identity.origin
    if origin is not None:
        info |= {"parent": origin.parent, "step_index": episode.first_index}
    return {"state": episode.first_state, "info": info}


def _success(data: object) -> Response:
    return respond({"success": True, "data": data})
