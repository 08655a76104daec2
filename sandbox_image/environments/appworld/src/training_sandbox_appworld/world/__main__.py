"""Make a synthetic world: `python -m training_sandbox_appworld.world --root DIR`."""

import argparse
import sys
from pathlib import Path

from rich.progress import Progress, TaskID

from training_sandbox_appworld.library import WorldUnusable
from training_sandbox_appworld.world.sizes import DEFAULT_ROWS, WorldSize, full_size, small_size
from training_sandbox_appworld.world.writer import RootNotEmpty, write_world

_EXAMPLES = """
examples:
  python -m training_sandbox_appworld.world --root /tmp/world --small
      32 tasks and 4,000 rows, in seconds: for tests
  python -m training_sandbox_appworld.world --root /tmp/world
      96 tasks and 300,000 rows, the scale of AppWorld's own data
  python -m training_sandbox_appworld.world --root /tmp/world --seed 8 --force
      another world in the place of the first

Play it with APPWORLD_ROOT=/tmp/world. The solutions of its tasks are in /tmp/world/solutions.json.
"""


def main() -> None:
    """Parse the command line and make the world."""
    parser = _parser()
    arguments = parser.parse_args()
    try:
        size = _size(arguments.rows, small=arguments.small)
    except ValueError as error:
        parser.error(f"--rows: {error}")
    try:
        with Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
            bars: dict[str, TaskID] = {}

            def show(what: str, done: int, total: int) -> None:
                if what not in bars:
                    bars[what] = bar.add_task(what, total=total)
                bar.update(bars[what], completed=done)

            rows = write_world(
                arguments.root, size, arguments.seed, force=arguments.force, progress=show
            )
    except (RootNotEmpty, WorldUnusable, OSError) as error:
        parser.error(f"--root: {error}")
    sys.stdout.write(f"{arguments.root}: a world of {rows:,} rows, seed {arguments.seed}\n")


def _size(rows: int | None, *, small: bool) -> WorldSize:
    if small and rows is not None:
        raise ValueError("pass either a number of rows or --small")
    if small:
        return small_size()
    return full_size() if rows is None else full_size(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training_sandbox_appworld.world",
        description="Make a synthetic AppWorld world. The same seed gives the same world.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", type=Path, required=True, help="where the world goes")
    parser.add_argument("--seed", type=int, default=7, help="what it is made from (default 7)")
    parser.add_argument(
        "--rows", type=int, help=f"about how many rows it has (default {DEFAULT_ROWS:,})"
    )
    parser.add_argument("--small", action="store_true", help="a small world for tests")
    parser.add_argument(
        "--force", action="store_true", help="replace the world that is at the root"
    )
    return parser


if __name__ == "__main__":
    main()
