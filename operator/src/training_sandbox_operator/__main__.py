"""The command ``training-sandbox-operator``."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import kopf

from training_sandbox_operator import __version__, shell
from training_sandbox_operator.cluster.errors import ApiError, NotFoundError
from training_sandbox_operator.cluster.json_text import allow_deep_objects
from training_sandbox_operator.control.election import LeaseLostError
from training_sandbox_operator.control.signing_key import SigningKeyError
from training_sandbox_operator.logs import configure_logging
from training_sandbox_operator.model.catalogue import CatalogueError
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.settings import Settings

_EXAMPLES = """\
examples:
  every namespace, as the chart runs it:
    training-sandbox-operator --all-namespaces --catalogue /etc/training-sandbox/catalogue.yaml
  two namespaces, from a workstation, with the kubeconfig's credentials:
    KUBECONFIG=~/.kube/config training-sandbox-operator \\
      --namespace research --namespace staging --catalogue catalogue.yaml --log-level debug

Each option can also be given by the environment variable that its description names; an option on
the command line holds.
"""
_EX_USAGE = 64
_EX_UNAVAILABLE = 69
_EX_TEMPFAIL = 75


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the operator and return its exit status.

    0 after SIGTERM, 64 when the command line, the catalogue or the signing key is wrong, 69 when
    the cluster or the port cannot be used, 75 when the lease was lost; 2 when the command line
    cannot be parsed.
    """
    settings = parse(arguments)
    allow_deep_objects()
    configure_logging(settings.log_level, settings.log_format)
    try:
        asyncio.run(shell.serve(settings))
    except (CatalogueError, SigningKeyError) as error:
        return _complain(str(error), _EX_USAGE)
    except NotFoundError as error:
        return _complain(
            f"{error}\nThe CustomResourceDefinitions are not all installed: kubectl apply -f crds/",
            _EX_UNAVAILABLE,
        )
    except LeaseLostError as error:
        return _complain(str(error), _EX_TEMPFAIL)
    except (ApiError, shell.WatchError, kopf.LoginError, OSError) as error:
        return _complain(str(error), _EX_UNAVAILABLE)
    except KeyboardInterrupt:
        return 0
    return 0


def parse(arguments: Sequence[str] | None) -> Settings:
    """Read the command line and the environment; exits with status 2 on bad input."""
    parser = _parser()
    options = parser.parse_args(arguments)
    namespaces = tuple(options.namespace or _listed(os.environ.get("TRAINING_SANDBOX_NAMESPACES")))
    if options.all_namespaces and options.namespace:
        parser.error("--namespace and --all-namespaces exclude each other")
    if not options.all_namespaces and not namespaces:
        parser.error("say which namespaces to serve: --namespace NAME (repeatable) or -A")
    if options.catalogue is None:
        parser.error("say where the catalogue is: --catalogue FILE or TRAINING_SANDBOX_CATALOGUE")
    return Settings(
        catalogue=options.catalogue,
        namespaces=None if options.all_namespaces else tuple(dict.fromkeys(namespaces)),
        workers=options.workers,
        health_port=options.health_port,
        log_level=options.log_level,
        log_format=options.log_format,
        lease=options.lease,
        lease_seconds=options.lease_seconds,
        signing_key=options.signing_key,
    )


def _parser() -> argparse.ArgumentParser:
    environment = os.environ
    parser = argparse.ArgumentParser(
        prog="training-sandbox-operator",
        description="Turns TrainingInstances into pods and collects them in time.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    catalogue = environment.get("TRAINING_SANDBOX_CATALOGUE")
    parser.add_argument(
        "--catalogue",
        metavar="FILE",
        type=Path,
        default=Path(catalogue) if catalogue else None,
        help="YAML file of the environments, read again on change (TRAINING_SANDBOX_CATALOGUE)",
    )
    parser.add_argument(
        "-n",
        "--namespace",
        metavar="NAME",
        action="append",
        help="serve this namespace; repeatable (TRAINING_SANDBOX_NAMESPACES, comma-separated)",
    )
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="serve every namespace")
    parser.add_argument(
        "--workers",
        metavar="N",
        type=_whole_number(1, 256),
        default=environment.get("TRAINING_SANDBOX_WORKERS", "32"),
        help="instances reconciled at once, 1 to 256; default 32 (TRAINING_SANDBOX_WORKERS)",
    )
    parser.add_argument(
        "--health-port",
        metavar="PORT",
        type=_whole_number(1, 65535),
        default=environment.get("TRAINING_SANDBOX_HEALTH_PORT", "8080"),
        help="port of /healthz, /readyz and /metrics; default 8080 (TRAINING_SANDBOX_HEALTH_PORT)",
    )
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default=environment.get("TRAINING_SANDBOX_LOG_LEVEL", "info"),
        help="default info (TRAINING_SANDBOX_LOG_LEVEL)",
    )
    parser.add_argument(
        "--log-format",
        choices=("text", "json"),
        default=environment.get("TRAINING_SANDBOX_LOG_FORMAT", "text"),
        help="default text (TRAINING_SANDBOX_LOG_FORMAT)",
    )
    parser.add_argument(
        "--lease",
        metavar="NAMESPACE/NAME",
        type=_key,
        default=environment.get("TRAINING_SANDBOX_LEASE"),
        help="do nothing before this Lease is held, so that of several operators one works "
        "(TRAINING_SANDBOX_LEASE)",
    )
    parser.add_argument(
        "--lease-seconds",
        metavar="N",
        type=_whole_number(1, 300),
        default=environment.get("TRAINING_SANDBOX_LEASE_SECONDS", "10"),
        help="how long the lease holds when it is not renewed, 1 to 300; default 10 "
        "(TRAINING_SANDBOX_LEASE_SECONDS)",
    )
    parser.add_argument(
        "--signing-key",
        metavar="NAMESPACE/NAME",
        type=_key,
        default=environment.get("TRAINING_SANDBOX_SIGNING_KEY"),
        help="have servers take only calls with a token, and sign tokens with the key in this "
        "Secret, which is made if it is not there (TRAINING_SANDBOX_SIGNING_KEY)",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


class _whole_number:  # noqa: N801 — argparse names the type in its message
    """A type of argparse: a whole number within bounds."""

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most

    def __call__(self, text: str) -> int:
        if not text.isdecimal() or not self._least <= int(text) <= self._most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {self._least} to {self._most}"
            )
        return int(text)


def _key(text: str) -> Key:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/NAME")
    return Key(namespace, name)


def _listed(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _complain(message: str, status: int) -> int:
    sys.stderr.write(f"training-sandbox-operator: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
