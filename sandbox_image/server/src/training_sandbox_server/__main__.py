"""The command `training-sandbox-server`."""

import argparse
import asyncio
import resource
import sys
from pathlib import Path

import uvloop

from training_sandbox_server import __version__, http_server, logs, memory, settings, termination
from training_sandbox_server.app import create_app
from training_sandbox_server.bearer_tokens import Doorkeeper, read_public_key
from training_sandbox_server.http_server import HTTPServer, ListenError
from training_sandbox_server.incarnation import Incarnation
from training_sandbox_server.settings import InvalidSettingsError, Settings
from training_sandbox_server.state_directory import StateDirectory, StateDirectoryError
from training_sandbox_worker import process


def main(control_group: Path = memory.CONTROL_GROUP) -> None:
    """Serve until SIGTERM; exit with 0, 64 (settings are wrong) or 70 (the environment failed).

    Args:
        control_group: Whose memory must not run out, see `memory.read`.
    """
    http_server.end_at_once_on_signals()
    _parse_arguments()
    logs.configure()
    try:
        chosen = settings.load()
        process.adopt_orphans()
        _open_as_many_files_as_allowed()
        with StateDirectory(chosen.state_dir, starts=chosen.starts_dir) as directory:
            status = uvloop.run(_serve(chosen, directory, control_group))
    except (InvalidSettingsError, ListenError, StateDirectoryError) as error:
        termination.report("InvalidSettings", str(error))
        status = termination.EXIT_USAGE
    sys.exit(status)


async def _serve(chosen: Settings, directory: StateDirectory, control_group: Path) -> int:
    """Answer HTTP for as long as the incarnation lives; returns the exit status."""
    listener = http_server.listen(chosen.host, chosen.port)
    incarnation = Incarnation(chosen, directory, control_group)
    app = create_app(incarnation, _doorkeeper(chosen, incarnation.name))
    http = HTTPServer(app, on_signal=incarnation.ask_to_drain)
    sys.stdout.write(f"training-sandbox-server listens on {http_server.url(listener)}\n")
    sys.stdout.flush()
    serving = asyncio.create_task(http.serve(sockets=[listener]))
    status = await incarnation.run()
    http.stop()
    await serving
    return status


def _doorkeeper(chosen: Settings, incarnation: str) -> Doorkeeper | None:
    key = chosen.token_public_key
    return Doorkeeper(read_public_key(key), incarnation) if key is not None else None


def _open_as_many_files_as_allowed() -> None:
    """An episode, an evaluation and a connection take a descriptor each: 256 slots a thousand."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _parse_arguments() -> None:
    parser = argparse.ArgumentParser(
        prog="training-sandbox-server",
        description="Serves the episodes of one environment over HTTP.",
        epilog="Environment variables:\n" + settings.describe(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.parse_args()


if __name__ == "__main__":
    main()
