"""What the operator is started with."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """The command line.

    Attributes:
        catalogue: path of the catalogue's file.
        namespaces: the namespaces to serve; None stands for all of them.
        workers: how many instances are reconciled at once.
        health_port: port of ``/healthz``.
        log_level: a level of the logging module.
    """

    catalogue: Path
    namespaces: tuple[str, ...] | None
    workers: int
    health_port: int
    log_level: str
