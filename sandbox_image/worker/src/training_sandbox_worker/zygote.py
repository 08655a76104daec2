"""The zygote: the process that loads an environment once and forks its episodes."""

import functools
import gc
import signal
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence

from training_sandbox_worker import child, process, wire
from training_sandbox_worker.discovery import UnknownEnvironmentError, find
from training_sandbox_worker.environment import Environment
from training_sandbox_worker.failure import one_line
from training_sandbox_worker.fork_server import ForkServer

EXIT_FAILED = 1


def run(name: str, control: socket.socket, parent: int) -> int:
    """Load the environment, say `hello` on the control socket, then fork until its end.

    A failure to load is answered by `boot_failed`; its traceback goes to stderr, which is the
    pod's log.

    Args:
        name: The environment, see `discovery.find`.
        control: The connection to the server.
        parent: The server's process id.

    Returns:
        The exit status.
    """
    process.die_with_parent(signal.SIGTERM, parent)
    process.adopt_orphans()
    try:
        environment = _load(name)
        hello = _hello(environment)
    except UnknownEnvironmentError as error:
        return _refuse(control, str(error), unknown=True)
    except Exception as error:  # noqa: BLE001 (whatever it is, the server must hear of it)
        traceback.print_exc()
        return _refuse(control, one_line(error), unknown=False)
    wire.send(control, hello)
    _settle()
    ForkServer(control, functools.partial(child.run, environment)).serve()
    return 0


def _load(name: str) -> Environment:
    environment = find(name)()
    environment.preload()
    threads = process.thread_names()
    if len(threads) > 1:
        raise RuntimeError(
            f"preload left {len(threads)} threads ({', '.join(threads)}); a fork keeps only one"
        )
    return environment


def _hello(environment: Environment) -> wire.Frame:
    return {
        "kind": "hello",
        "environment": environment.name,
        "splits": _plain(environment.splits()),
        "tools": environment.tools(),
    }


def _plain(splits: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {split: list(task_ids) for split, task_ids in splits.items()}


def _refuse(control: socket.socket, reason: str, *, unknown: bool) -> int:
    wire.send(control, {"kind": "boot_failed", "reason": reason, "unknown": unknown})
    return EXIT_FAILED


def _settle() -> None:
    """Keep what was loaded shared: neither collector nor allocator may touch it in the children."""
    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()
    gc.freeze()
    process.return_free_memory()
