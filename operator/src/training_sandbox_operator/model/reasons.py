"""Phases of an instance and the reasons that its conditions and events give."""

from enum import StrEnum


class Phase(StrEnum):
    """Where an instance is in its life."""

    PENDING = "Pending"
    STARTING = "Starting"
    READY = "Ready"
    FINISHED = "Finished"
    FAILED = "Failed"

    @property
    def is_terminal(self) -> bool:
        """Whether the instance stays in this phase until it is deleted."""
        return self in {Phase.FINISHED, Phase.FAILED}


class Reason(StrEnum):
    """Why a condition is as it is; also the reason of the event that tells of it.

    A failed server may give a reason of its own (UnknownTask, ZygoteDied), and the kubelet has
    some (OutOfcpu): those are passed on as they are.
    """

    UNKNOWN_ENVIRONMENT = "UnknownEnvironment"
    PARAMS_TOO_LARGE = "ParamsTooLarge"
    POD_REJECTED = "PodRejected"
    POD_NAME_CONFLICT = "PodNameConflict"
    POOL_NOT_FOUND = "PoolNotFound"
    POOL_OF_OTHER_ENVIRONMENT = "PoolOfOtherEnvironment"
    WAITING_FOR_POOL = "WaitingForPool"
    SCHEDULING = "Scheduling"
    UNSCHEDULABLE = "Unschedulable"
    CREATING_CONTAINER = "CreatingContainer"
    CONTAINER_REFUSED = "ContainerRefused"
    IMAGE_PULL_FAILED = "ImagePullFailed"

    BOOTING = "Booting"
    UNRESPONSIVE = "Unresponsive"
    RESTARTING = "Restarting"
    SERVER_NOT_READY = "ServerNotReady"
    SERVER_READY = "ServerReady"

    TOKEN_NOT_WRITTEN = "TokenNotWritten"
    TOKEN_REJECTED = "TokenRejected"
    TOKEN_SECRET_CONFLICT = "TokenSecretConflict"
    SIGNING_KEY_LOST = "SigningKeyLost"

    TASK_NOT_OPENED = "TaskNotOpened"
    TASK_RUNNING = "TaskRunning"
    TASK_FINISHED = "TaskFinished"

    CRASH_LOOP = "CrashLoop"
    OOM_KILLED = "OOMKilled"
    SERVER_EXITED = "ServerExited"
    POD_DELETED = "PodDeleted"
    EVICTED = "Evicted"
    NODE_LOST = "NodeLost"


class PoolReason(StrEnum):
    """Why a condition of a pool is as it is, beside what its pods themselves give for a reason."""

    FILLED = "Filled"
    FILLING = "Filling"
    EMPTY_AS_SPECIFIED = "EmptyAsSpecified"
    PODS_FAIL = "PodsFail"
    ALL_CURRENT = "AllCurrent"
    REPLACING = "Replacing"


class Occurrence(StrEnum):
    """Reasons of events that no condition gives."""

    POD_CREATED = "PodCreated"
    POD_CLAIMED = "PodClaimed"
    SERVER_RESTARTED = "ServerRestarted"
    IDLE_UNKNOWN = "IdleUnknown"
    IDLE_TIMEOUT = "IdleTimeout"
    TTL_EXPIRED = "TTLExpired"
    COLLECTED = "Collected"
