"""The server's settings: environment variables with the prefix `SANDBOX_`."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self, cast

from pydantic import (
    AfterValidator,
    Field,
    Json,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from training_sandbox_server import memory
from training_sandbox_server.bearer_tokens import read_public_key
from training_sandbox_server.protocol import EpisodeId

_PREFIX = "SANDBOX_"
_SHARES = 4

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Mebibytes = Annotated[int, Field(ge=1, le=1_048_576)]
Name = Annotated[str, StringConstraints(min_length=1)]


def _check_public_key(text: str) -> str:
    try:
        read_public_key(text)
    except ValueError as error:
        raise ValueError(f"not an Ed25519 public key in base64url: {error}") from error
    return text


PublicKey = Annotated[str, AfterValidator(_check_public_key)]


class InvalidSettingsError(Exception):
    """A variable has a value that is not allowed; the text names it."""


class Settings(BaseSettings):
    """What the environment variables say; an empty one counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    environment: Name = Field(default="appworld", description="environment's name, or module:Class")
    env_type: Name | None = Field(
        default=None, description="a further env_type that /create accepts"
    )
    environment_python: Path = Field(
        default=Path("/opt/environment/bin/python"),
        description="interpreter of the environment's venv",
    )
    host: Name = Field(default="0.0.0.0", description="listen address")  # noqa: S104 (a pod's own address)
    auth: Literal["token", "off"] = Field(
        default="token", description="off: serve whoever reaches the address, without a token"
    )
    token_public_key: PublicKey | None = Field(
        default=None,
        description="base64url of the Ed25519 key that tokens are checked by; none: no tokens, on "
        "a loopback address only",
    )
    port: int = Field(default=8000, ge=0, le=65_535, description="listen port; 0: any free one")
    slots: int = Field(default=16, ge=1, le=256, description="episodes at once")
    task_id: Name | None = Field(
        default=None, description="bound task: its episode is opened at start"
    )
    episode_id: EpisodeId | None = Field(default=None, description="bound task: the episode's id")
    params: Json[dict[str, object]] | None = Field(
        default=None, description="bound task: JSON object"
    )
    state_dir: Path = Field(
        default=Path("/tmp/training-sandbox"),  # noqa: S108 (the pod's own emptyDir; locked and private)
        description="folder of the episodes' trajectories",
    )
    starts_dir: Path | None = Field(
        default=None,
        description="folder of the start counter, to survive a reboot; none: the trajectories'",
    )
    pod_uid: Name | None = Field(default=None, description="first part of the incarnation")
    step_timeout_seconds: Seconds = Field(default=100, description="hard deadline of a step")
    episode_idle_seconds: Seconds = Field(
        default=300, description="life of an episode without a call"
    )
    drain_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=20, description="how long running steps may take after SIGTERM"
    )
    jail: Literal["on", "off"] = Field(
        default="on", description="off: agent code may do what the server may; for debugging"
    )
    strict: bool = Field(
        default=False, description="refuse to start where the confinement is not whole"
    )
    episode_memory_mb: Mebibytes = Field(
        default=1024, description="MiB that an episode may map beyond what it began with"
    )
    templates_memory_mb: Mebibytes | None = Field(
        default=None,
        description="MiB that templates may take together; none: a quarter of the container's",
    )
    trajectory_max_mb: Mebibytes = Field(
        default=64, description="MiB of an episode's trajectory that are kept"
    )

    @property
    def templates_bytes(self) -> int:
        """What templates may take together."""
        if self.templates_memory_mb is None:
            return memory.read().total_bytes // _SHARES
        return self.templates_memory_mb << 20

    @property
    def jailed(self) -> bool:
        """Whether the processes that run agent code are confined."""
        return self.jail == "on"

    @model_validator(mode="after")
    def _strangers_are_let_in_only_on_purpose(self) -> Self:
        if self.auth == "off":
            if self.token_public_key is not None:
                raise ValueError("SANDBOX_AUTH=off and SANDBOX_TOKEN_PUBLIC_KEY: use one of them")
        elif self.token_public_key is None and not _is_loopback(self.host):
            raise ValueError(
                f"SANDBOX_HOST={self.host} can be reached from elsewhere: set "
                "SANDBOX_TOKEN_PUBLIC_KEY to have tokens checked, SANDBOX_AUTH=off to serve "
                "whoever calls, or SANDBOX_HOST=127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _strictness_needs_the_jail(self) -> Self:
        if self.strict and not self.jailed:
            raise ValueError("SANDBOX_STRICT refuses SANDBOX_JAIL=off")
        return self

    @model_validator(mode="after")
    def _bound_task_is_whole(self) -> Self:
        if (self.task_id is None) != (self.episode_id is None):
            raise ValueError(
                "SANDBOX_TASK_ID and SANDBOX_EPISODE_ID are set together or not at all"
            )
        if self.params is not None and self.task_id is None:
            raise ValueError("SANDBOX_PARAMS is for a bound task; SANDBOX_TASK_ID is not set")
        return self


def load() -> Settings:
    """The settings of this process.

    Raises:
        InvalidSettingsError: With one line for each variable that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise InvalidSettingsError("\n".join(_lines(error))) from error
    except SettingsError as error:
        raise InvalidSettingsError(str(error)) from error


def describe() -> str:
    """The variables with their meanings and defaults, a line each."""
    lines: list[str] = []
    for name, field in Settings.model_fields.items():
        default = "none" if field.default is None else cast("object", field.default)
        lines.append(f"  {_PREFIX + name.upper():<30} {field.description} (default: {default})")
    return "\n".join(lines)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _lines(error: ValidationError) -> list[str]:
    lines: list[str] = []
    for problem in error.errors(include_url=False, include_context=False):
        message = problem["msg"].removeprefix("Value error, ")
        if problem["loc"]:
            variable = str(problem["loc"][0]).upper().removeprefix(_PREFIX)
            message = f"{_PREFIX}{variable}={problem['input']!s}: {message}"
        lines.append(message)
    return lines
