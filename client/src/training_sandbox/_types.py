"""The shapes of what goes in and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypeAlias, TypedDict

Action: TypeAlias = str | Mapping[str, object]
"""What an agent does: a message (``{"role": "assistant", "content": …}``) or its content alone."""


class Message(TypedDict):
    """One chat message, in the form that chat completion APIs use."""

    role: str
    content: str | None
    tool_calls: NotRequired[list[dict[str, object]]]
    tool_call_id: NotRequired[str]
    name: NotRequired[str]


class EpisodeInfo(TypedDict):
    """Which episode was created."""

    instance_id: str
    task_id: str


class Created(TypedDict):
    """The answer of ``create_instance``: the first messages (system, user) and the episode."""

    state: list[Message]
    info: EpisodeInfo


class StepResult(TypedDict):
    """The answer of ``step``.

    ``state`` holds one message, the observation. ``reward`` is 0.0 while the task goes on and
    the evaluation's value when ``is_terminated``.
    """

    state: list[Message]
    reward: float
    is_terminated: bool
    info: dict[str, object]


class Slots(TypedDict):
    """Room for episodes."""

    total: int
    used: int


class TrajectoryStart(TypedDict):
    """The first record of a trajectory. ``parent``: the episode that it was forked from."""

    type: Literal["episode"]
    environment: str
    task_id: str
    params: dict[str, object]
    instance_id: str
    incarnation: str
    parent: NotRequired[str]
    messages: list[Message]


class TrajectoryStep(TypedDict):
    """A step that was executed; ``seconds`` it took in the episode's process."""

    type: Literal["step"]
    index: int
    action: Message
    observation: Message
    is_terminated: bool
    seconds: float


class TrajectoryEvaluation(TypedDict):
    """A reward, as of so many ``steps``."""

    type: Literal["evaluation"]
    sparse: bool
    reward: float
    steps: int


class TrajectoryFailure(TypedDict):
    """What was answered to a call that failed or was refused."""

    type: Literal["error"]
    error: dict[str, object]


class TrajectoryCut(TypedDict):
    """The last record where the trajectory became longer than the server keeps."""

    type: Literal["cut"]


TrajectoryRecord: TypeAlias = (
    TrajectoryStart | TrajectoryStep | TrajectoryEvaluation | TrajectoryFailure | TrajectoryCut
)
"""One line of a trajectory; ``type`` says which."""


class TaskStatus(TypedDict):
    """The episode that a sandbox with a task was opened for."""

    task_id: str
    episode_id: str
    state: str
    steps: int
    reward: float | None
    finished: bool


class ConfinementStatus(TypedDict):
    """What holds agent code back. ``missing``: a sentence for each protection that is not there."""

    landlock_abi: int
    seccomp: bool
    fork_gate: bool
    missing: list[str]


class TemplatesStatus(TypedDict):
    """Tasks that are kept open for episodes to be forked from."""

    count: int
    memory_bytes: int


class ServerStatus(TypedDict):
    """The answer of ``status``.

    ``idle_seconds``: since the last call of any episode ended. ``confinement`` is None while
    the server boots.
    """

    incarnation: str
    environment: str
    phase: str
    slots: Slots
    idle_seconds: float
    task: TaskStatus | None
    confinement: ConfinementStatus | None
    templates: TemplatesStatus
    version: str


class Overrides(TypedDict, total=False):
    """What a TrainingInstance may set apart from its task; the operator's catalogue has the rest.

    All are optional. ``resources``, ``tolerations``, ``affinity`` have the form of a Kubernetes
    container or pod. ``labels`` and ``annotations`` are the pod's.
    """

    slots: int | None
    image: str | None
    resources: Mapping[str, object] | None
    node_selector: Mapping[str, str] | None
    tolerations: Sequence[Mapping[str, object]] | None
    affinity: Mapping[str, object] | None
    priority_class_name: str | None
    image_pull_secrets: Sequence[str] | None
    env: Mapping[str, str] | None
    labels: Mapping[str, str] | None
    annotations: Mapping[str, str] | None
    ttl_seconds: int | None
    idle_timeout_seconds: int | None
    ttl_seconds_after_finished: int | None
    retain_failed: bool | None
