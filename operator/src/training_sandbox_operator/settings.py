"""What the operator is started with."""

from dataclasses import dataclass
from pathlib import Path

from training_sandbox_operator.model.names import Key


@dataclass(frozen=True, slots=True)
class Settings:
    """The command line.

    Attributes:
        catalogue: path of the catalogue's file.
        namespaces: the namespaces to serve; None stands for all of them.
        workers: how many instances are reconciled at once.
        health_port: port of ``/healthz``, ``/readyz`` and ``/metrics``.
        log_level: a level of the logging module.
        log_format: text or json.
        lease: namespace and name of the Lease that one of several operators holds; None for an
            operator that is alone.
        lease_seconds: how long the lease holds after a renewal.
        signing_key: namespace and name of the Secret with the key that tokens are signed with; None
            for servers that serve whoever reaches them.
    """

    catalogue: Path
    namespaces: tuple[str, ...] | None
    workers: int
    health_port: int
    log_level: str
    log_format: str
    lease: Key | None
    lease_seconds: int
    signing_key: Key | None = None
