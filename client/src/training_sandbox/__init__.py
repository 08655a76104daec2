r"""Training Sandbox: RL training episodes on Kubernetes, from Python.

    from training_sandbox import TrainingSandbox

    with TrainingSandbox("appworld") as box:
        task = box.get_env_profile(split="train")[0]
        with box.episode(task) as episode:
            result = episode.step("```python\nprint('hello')\n```")
            reward = episode.evaluate()

``AsyncTrainingSandbox`` is the same for programs with an event loop (asyncio). Everything that
goes wrong is a ``TrainingSandboxError``.
"""

from training_sandbox._episode import (
    AsyncEpisode,
    AsyncEpisodeGroup,
    EpisodeOpening,
    GroupOpening,
)
from training_sandbox._exceptions import (
    CallTimedOut,
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
    InfrastructureError,
    InstanceExists,
    InstanceLost,
    InstanceNotFound,
    InstanceNotReady,
    InstanceRejected,
    InvalidAnswer,
    InvalidRequest,
    LocalServerFailed,
    Lost,
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
from training_sandbox._sandbox import AsyncTrainingSandbox
from training_sandbox._sync import Episode, EpisodeGroup, TrainingSandbox
from training_sandbox._types import (
    Action,
    ConfinementStatus,
    Created,
    EpisodeInfo,
    Message,
    Overrides,
    ServerStatus,
    Slots,
    StepResult,
    TaskStatus,
    TemplatesStatus,
    TrajectoryCut,
    TrajectoryEvaluation,
    TrajectoryFailure,
    TrajectoryRecord,
    TrajectoryStart,
    TrajectoryStep,
)
from training_sandbox._version import __version__

__all__ = [
    "Action",
    "AsyncEpisode",
    "AsyncEpisodeGroup",
    "AsyncTrainingSandbox",
    "CallTimedOut",
    "ClusterUnavailable",
    "ConfinementStatus",
    "ConnectionFailed",
    "Created",
    "Episode",
    "EpisodeExists",
    "EpisodeExpired",
    "EpisodeGroup",
    "EpisodeInfo",
    "EpisodeLost",
    "EpisodeNotFound",
    "EpisodeOpening",
    "EpisodeReleased",
    "EpisodeTerminated",
    "EvaluationFailed",
    "ForkUnsupported",
    "GroupOpening",
    "InfrastructureError",
    "InstanceExists",
    "InstanceLost",
    "InstanceNotFound",
    "InstanceNotReady",
    "InstanceRejected",
    "InvalidAnswer",
    "InvalidRequest",
    "LocalServerFailed",
    "Lost",
    "Message",
    "OutOfOrder",
    "Overrides",
    "PayloadTooLarge",
    "SandboxBooting",
    "SandboxDraining",
    "SandboxFull",
    "ServerFault",
    "ServerStatus",
    "Slots",
    "StepDeadlineExceeded",
    "StepResult",
    "TaskStatus",
    "TemplatesStatus",
    "TrainingSandbox",
    "TrainingSandboxError",
    "TrajectoryCut",
    "TrajectoryEvaluation",
    "TrajectoryFailure",
    "TrajectoryRecord",
    "TrajectoryStart",
    "TrajectoryStep",
    "Unauthorized",
    "Unavailable",
    "UnknownEnvironment",
    "UnknownSplit",
    "UnknownTask",
    "__version__",
]

# In tracebacks and documentation, things are called by the name that they are imported by.
for _name in __all__:
    _public: object = globals()[_name]
    if isinstance(_public, type):
        _public.__module__ = __name__
