"""The catalogue: which environments there are and how their servers are run.

It is the administrator's: it comes from the chart's values as a mounted YAML file. Image, volumes
and settings in it are trusted; what an instance may override is in the CRD.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

EnvType = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
]
Quantity = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9]+(\.[0-9]+)?([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$", max_length=64
    ),
]


class CatalogueError(ValueError):
    """The catalogue cannot be used; the message names the file, the field and what is allowed."""


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, coerce_numbers_to_str=True
    )


class Resources(_Strict):
    """Requests and limits of the server's container."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


class EnvironmentVariable(_Strict):
    """One environment variable, as in a Kubernetes container."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    value: str | None = None
    value_from: dict[str, Any] | None = Field(default=None, alias="valueFrom")

    def to_api(self) -> dict[str, Any]:
        """Return it as the API wants it."""
        return self.model_dump(by_alias=True, exclude_none=True)


class PullSecret(_Strict):
    """The name of a Secret, as in a pod."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]


class Environment(_Strict):
    """How the server of one environment is run; which one it is, its image says.

    Attributes:
        image_pull_policy: None for what fits the image: only a tag that moves is pulled again.
        slots: episodes that one open server plays at once.
        tmp_size: size of /tmp, in memory; it counts as the container's.
        startup_seconds: how long booting may take before the container is restarted.
        volumes: raw Kubernetes volumes, for example with the environment's data.
        volume_mounts: raw mounts of these volumes in the server's container.
        node_selector: holds whatever an instance selects beside it.
        tolerations: raw ones, beside those of an instance.
        topology_spread: raw constraints without labelSelector, for pools that have none.
    """

    image: Annotated[str, StringConstraints(min_length=1, pattern=r"^\S+$")]
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        default=None, alias="imagePullPolicy"
    )
    image_pull_secrets: list[PullSecret] = Field(default=[], alias="imagePullSecrets")
    slots: int = Field(default=16, ge=1, le=256)
    resources: Resources = Resources()
    tmp_size: Quantity = Field(default="1Gi", alias="tmpSize")
    startup_seconds: int = Field(default=180, alias="startupSeconds", ge=1, le=86400)
    env: list[EnvironmentVariable] = []
    volumes: list[dict[str, Any]] = []
    volume_mounts: list[dict[str, Any]] = Field(default=[], alias="volumeMounts")
    node_selector: dict[str, str] = Field(default={}, alias="nodeSelector")
    tolerations: list[dict[str, Any]] = []
    priority_class_name: str | None = Field(default=None, alias="priorityClassName")
    topology_spread: list[dict[str, Any]] = Field(default=[], alias="topologySpreadConstraints")


Pattern = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\s?\[\]]+$")]
"""What is allowed, where ``*`` stands for any characters."""


class Allowances(_Strict):
    """What an instance or a pool may override beside what concerns it alone; by default nothing.

    Attributes:
        images: beside the one of its environment.
        tolerations: keys of taints.
        env: names of variables. Interpreters and loaders take programs from some of them.
        labels: keys. A label may give a pod a place in a Service, or a way through a policy.
        annotations: keys. Networks, sidecars and runtimes take orders by annotation.
        resources: names. Those of device plugins are devices of the node.
    """

    images: tuple[Pattern, ...] = ()
    image_pull_secrets: tuple[Pattern, ...] = Field(default=(), alias="imagePullSecrets")
    priority_class_names: tuple[Pattern, ...] = Field(default=(), alias="priorityClassNames")
    tolerations: tuple[Pattern, ...] = ()
    env: tuple[Pattern, ...] = ()
    labels: tuple[Pattern, ...] = ()
    annotations: tuple[Pattern, ...] = ()
    resources: tuple[Pattern, ...] = ("cpu", "memory", "ephemeral-storage")


BY_DEFAULT = Allowances()


class Catalogue(_Strict):
    """The environments by the name that an ``envType`` gives, and what may be overridden."""

    environments: dict[EnvType, Environment]
    allowed: Allowances = BY_DEFAULT

    def get(self, env_type: str) -> Environment | None:
        """Return the entry of that name, or None."""
        return self.environments.get(env_type)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all entries, sorted."""
        return tuple(sorted(self.environments))


def load_catalogue(path: Path) -> Catalogue:
    """Read the catalogue.

    Raises:
        CatalogueError: there is no such file, it is not YAML, or a field is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"the catalogue {path} cannot be read: {error}") from error
    return parse_catalogue(text, source=str(path))


def parse_catalogue(text: str, *, source: str = "catalogue") -> Catalogue:
    """Read the catalogue from YAML.

    Raises:
        CatalogueError: it is not YAML, or a field is wrong.
    """
    try:
        document: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CatalogueError(f"{source} is not YAML: {error}") from error
    if not isinstance(document, Mapping):
        raise CatalogueError(f"{source}: expected a mapping with the key environments")
    try:
        return Catalogue.model_validate(document)
    except ValidationError as error:
        raise CatalogueError("\n".join(_explain(error, source))) from error


def _explain(error: ValidationError, source: str) -> Iterator[str]:
    """Yield one line a fault, as ``source: environments.appworld.slots: …``."""
    for fault in error.errors():
        field = ".".join(str(part) for part in fault["loc"] if part != "[key]")
        if fault["type"] == "extra_forbidden":
            yield f"{source}: {field}: unknown field; allowed are {', '.join(_allowed(fault))}"
        else:
            yield f"{source}: {field}: {fault['msg']}"


def _allowed(fault: Any) -> list[str]:
    """Return the fields that may stand where an unknown one was found."""
    place: tuple[str | int, ...] = fault["loc"]
    model: type[BaseModel] = {
        1: Catalogue,
        2: Allowances,
        3: Environment,
        4: Resources,
    }.get(len(place), PullSecret if "imagePullSecrets" in place else EnvironmentVariable)
    return [field.alias or name for name, field in model.model_fields.items()]
