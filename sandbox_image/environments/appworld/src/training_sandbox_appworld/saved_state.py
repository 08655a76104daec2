"""The state of an episode on disk, as its last step left it.

AppWorld's evaluator executes the SQL that it finds there, and agent code can write there. So only
what AppWorld itself saves goes through: changes of rows.
"""

import json
import re
from pathlib import Path
from typing import cast

_CHANGE_OF_ROWS = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM)\s", re.IGNORECASE)


class StateTampered(RuntimeError):  # noqa: N818 (reads better where it is caught)
    """The saved state has something in it that AppWorld does not write."""


def check_saved_state(directory: Path) -> None:
    """Check every statement of every app's changes.

    Raises:
        StateTampered: One of them is not a change of rows, or a file is not what it should be.
        FileNotFoundError: There is no saved state.
    """
    files = sorted(directory.iterdir())
    for path in files:
        if path.is_symlink() or not path.is_file():
            raise StateTampered(f"{path.name} is not a file")
        if path.suffix == ".jsonl":
            for line in path.read_text(encoding="utf-8").splitlines():
                if line.strip():
                    _check_change(line, path.name)


def _check_change(line: str, name: str) -> None:
    try:
        change: object = json.loads(line)
    except ValueError as error:
        raise StateTampered(f"{name} has a line that is not JSON") from error
    statement = cast("list[object]", change)[0] if isinstance(change, list) and change else None
    if not isinstance(statement, str) or not _CHANGE_OF_ROWS.match(statement):
        raise StateTampered(f"{name} has a statement that does not change rows: {statement!r}")
