"""The shapes of requests and answers.

Existing clients post the same five fields to every verb, most of them empty; so a request is
permissive here (unknown fields are ignored), and each verb insists on what it needs itself.
"""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

MAX_ID_LENGTH = 128
EpisodeId = Annotated[str, StringConstraints(pattern=rf"\A[A-Za-z0-9._:-]{{1,{MAX_ID_LENGTH}}}\z")]
Count = Annotated[int, Field(strict=True, ge=1, le=256)]

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
    incarnation: str | None = Field(
        None, description="the one that is meant; another one answers episode_lost"
    )


class _Several(VerbRequest):
    """The body of a verb that makes several episodes."""

    n: Count = Field(description="how many episodes; all are made or none")
    instance_ids: list[EpisodeId] | None = Field(
        None, description="n different ids; made up when they are missing"
    )

    @field_validator("instance_ids")
    @classmethod
    def _are_n_different_ones(cls, ids: list[str] | None, info: ValidationInfo) -> list[str] | None:
        count = info.data.get("n")
        if ids is not None and count is not None and not len(ids) == len(set(ids)) == count:
            raise ValueError(f"must be n={count} different ids")
        return ids


class GroupRequest(_Several):
    """The body of /create_group."""

    instance_id: EpisodeId | None = Field(
        None, description="begins the ids that are made up: <instance_id>-0, -1 …"
    )


class ForkRequest(_Several):
    """The body of /fork."""

    instance_id: EpisodeId | None = Field(None, description="the running episode")
    reseed: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="each branch goes on with random numbers of its own"
    )


class PrepareRequest(VerbRequest):
    """The body of /prepare."""

    task_ids: Annotated[list[str], Field(min_length=1, max_length=1024)] = Field(
        description="tasks that will be played soon, with these params"
    )


class Answer(BaseModel, Generic[Data]):
    """The body of every success."""

    success: Literal[True] = True
    data: Data


class EpisodeInfo(BaseModel):
    """Which episode was created."""

    instance_id: str
    task_id: str
    incarnation: str


class Created(BaseModel):
    """The data of /create: the messages that the task starts with."""

    state: list[dict[str, object]] = Field(description="a system and a user message")
    info: EpisodeInfo


class Group(BaseModel):
    """The data of /create_group."""

    episodes: list[Created]


class BranchInfo(EpisodeInfo):
    """Which branch was made of which episode."""

    parent: str
    step_index: int = Field(description="of the branch's next step")


class Branch(BaseModel):
    """A branch, as it stands after the fork."""

    state: list[dict[str, object]] = Field(
        description="the last observation, or what the task starts with"
    )
    info: BranchInfo


class Branches(BaseModel):
    """The data of /fork."""

    episodes: list[Branch]


class Accepted(BaseModel):
    """The data of /prepare."""

    accepted: list[str]


class StepInfo(BaseModel):
    """Beside an observation."""

    incarnation: str
    truncated: Literal[True] | None = Field(
        None, description="only there when the end of the observation was cut off"
    )


class Stepped(BaseModel):
    """The data of /step."""

    state: list[dict[str, object]] = Field(description="exactly one message")
    reward: float = Field(description="0.0 until is_terminated, then the evaluation's")
    is_terminated: bool
    info: StepInfo


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


class ConfinementStatus(BaseModel):
    """What holds agent code back in this container."""

    landlock_abi: int = Field(description="version of the kernel's Landlock; 0: none")
    seccomp: bool
    fork_gate: bool = Field(description="whether running episodes can be forked")
    missing: list[str] = Field(description="a sentence for each protection that is not there")


class TemplatesStatus(BaseModel):
    """Tasks that are kept open for episodes to be forked from."""

    count: int
    memory_bytes: int


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
    confinement: ConfinementStatus | None = Field(description="null while booting")
    templates: TemplatesStatus
    version: str
