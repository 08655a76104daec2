"""The command `training-sandbox-conformance`, or `python -m training_sandbox_conformance`."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from training_sandbox_conformance import report
from training_sandbox_conformance.checks import CHECKS
from training_sandbox_conformance.costs import Costs
from training_sandbox_conformance.installed import Installation
from training_sandbox_conformance.kit import Kit
from training_sandbox_conformance.outcomes import KitError, Verdict

EXIT_FAILED = 1
EXIT_NOT_CHECKED = 2

_PYTHON_VARIABLE = "SANDBOX_ENVIRONMENT_PYTHON"
_DEFAULT_SAMPLE = 6


def main() -> None:
    """Check; exit with 0 if every promise is kept, 1 if one is broken, 2 if nothing could be."""
    # Whoever is terminated ends what it started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _parse_arguments(sys.argv[1:])
    with _log_kept_on_failure(arguments.log) as log:
        try:
            failed = _check(_kit(arguments, log))
        except KitError as error:
            sys.stderr.write(f"training-sandbox-conformance: {error}\n")
            sys.exit(EXIT_NOT_CHECKED)
        if failed:
            sys.exit(EXIT_FAILED)


@contextmanager
def _log_kept_on_failure(wanted: Path | None) -> Generator[Path]:
    """Where the log goes; what is told of a failure names it."""
    if wanted is not None:
        yield wanted
        return
    folder = Path(tempfile.mkdtemp(prefix="training-sandbox-log-"))
    yield folder / "server.log"
    shutil.rmtree(folder)


def _check(kit: Kit) -> bool:
    """Run and report; whether a promise is broken."""
    failed = False
    for found in kit.run():
        if isinstance(found, Costs):
            report.print_costs(found)
        else:
            report.print_outcome(found)
            failed = failed or found.verdict is Verdict.FAILED
    report.print_summary(kit.installation.name, failed=failed)
    return failed


def _kit(arguments: argparse.Namespace, log: Path) -> Kit:
    # What is set for a server of the author's is not meant for these.
    inherited = {name: value for name, value in os.environ.items() if "SANDBOX_" not in name}
    installation = Installation(
        name=arguments.environment,
        python=arguments.python.absolute(),
        examples_function=arguments.examples,
        settings=inherited,
    )
    names: Sequence[str] = arguments.only or [check.name for check in CHECKS]
    checks = [check for check in CHECKS if check.name in names]
    return Kit(installation, checks, arguments.sample, log)


def _parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="training-sandbox-conformance",
        description="Check that an environment keeps its promises, on a real server.",
        epilog="Checks: " + "; ".join(f"{check.name}: {check.promise}" for check in CHECKS) + ".",
    )
    parser.add_argument("environment", metavar="NAME", help="the environment, or module:Class")
    parser.add_argument(
        "--python",
        type=Path,
        default=Path(os.environ.get(_PYTHON_VARIABLE) or sys.executable),
        help=f"interpreter of its venv (default: {_PYTHON_VARIABLE}, or the one that runs this)",
    )
    parser.add_argument(
        "--examples",
        metavar="MODULE:FUNCTION",
        help="gives its examples (default: its entry point in training_sandbox.examples)",
    )
    parser.add_argument(
        "--sample",
        type=_positive,
        default=_DEFAULT_SAMPLE,
        metavar="N",
        help=f"how many examples are played, always the same ones (default: {_DEFAULT_SAMPLE})",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="CHECK",
        choices=[check.name for check in CHECKS],
        help="run these checks alone",
    )
    parser.add_argument("--log", type=Path, help="keep the server's log in this file")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {text!r}")
    return int(text)


if __name__ == "__main__":
    main()
