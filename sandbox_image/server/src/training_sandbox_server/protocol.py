"""The shapes of requests and answers.

Existing clients post the same five fields to every verb, most of them empty; so a request is
permissive here (unknown fields are ignored), and each verb insists on what it needs itself.
"""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

EpisodeId = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9._:-]{1,128}\z")]

Data = TypeVar("Data")


class VerbRequest(BaseModel):
    """The body of every POST."""

    model_config = ConfigDict(extra="ignore")

    env_type: str | None = Field(None, description="/create, /get_env_profile: the environment")
    task_id: str | None = Field(None, description="/create: the task to play")
    instance_id: EpisodeId | None = Field(
        None, description="the episode; /create makes one up when it is missing"
    )
    messages: object = Field(
        None, description="/step: the assistant message, an object or a list of one"
    )
    params: dict[str, object] | None = Field(
        None, description="/get_env_profile: split; /evaluate: sparse; /create: the environment's"
    )
    step_index: Annotated[int, Field(strict=True, ge=0)] | None = Field(
        None,
        description="/step: how many steps were executed before this one. A step that is sent "
        "again with the same number is answered again, not executed again.",
    )


class Answer(BaseModel, Generic[Data]):
    """The body of every success."""

    success: Literal[True] = True
    data: Data


class EpisodeInfo(BaseModel):
    """Which episode was created."""

    instance_id: str
    task_id: str


class Created(BaseModel):
    """The data of /create: the messages that the task starts with."""

    state: list[dict[str, object]] = Field(description="a system and a user message")
    info: EpisodeInfo


class Stepped(BaseModel):
    """The data of /step."""

    state: list[dict[str, object]] = Field(description="exactly one message")
    reward: float = Field(description="0.0 until is_terminated, then the evaluation's")
    is_terminated: bool
    info: dict[str, object]


class Released(BaseModel):
    """The body of /release; success is false for an id that never was."""

    success: bool
    data: None = None


class Slots(BaseModel):
    """Room for episodes."""

    total: int
    used: int


class TaskStatus(BaseModel):
    """How the bound task stands."""

    task_id: str
    episode_id: str
    state: Literal["opening", "running", "terminated", "released", "expired", "lost"]
    steps: int
    reward: float | None
    finished: bool


class Status(BaseModel):
    """The data of /status."""

    incarnation: str
    environment: str
    phase: Literal["booting", "serving", "draining"]
    slots: Slots
    idle_seconds: float = Field(
        description="since the last call of an episode verb ended; 0.0 while one is in flight"
    )
    task: TaskStatus | None
    version: str
