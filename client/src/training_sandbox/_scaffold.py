"""A new environment: the template, a working one, under another name."""

from __future__ import annotations

import re
from pathlib import Path

from training_sandbox._exceptions import InvalidRequest

_TEMPLATE = Path(__file__).with_name("_template")
_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_ENVIRONMENTS = Path("sandbox_image") / "environments"
# The template's last table is basedpyright's, which is told of the venv that `make` installs.
_IN_REPOSITORY = """venvPath = "../../../build/venvs"
venv = "{name}"

[tool.uv.sources]
training-sandbox-worker = {{ path = "../../worker", editable = true }}
"""


def new_environment(name: str, directory: Path | None, working_directory: Path) -> Path:
    """Lay out an environment that works, and return its folder.

    Args:
        name: its name, a DNS label that begins with a letter.
        directory: where; by default a folder of its name, in the working directory or among the
            environments of the repository that this is in.
        working_directory: where the command was given.

    Raises:
        InvalidRequest: the name is not one, or the folder is there already or cannot be made.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"NAME: {name!r} must be a DNS label that begins with a letter: at most 63 of a-z, 0-9 "
            "and -, not ending with -"
        )
    repository = _repository_of(working_directory)
    home = repository / _ENVIRONMENTS if repository else working_directory
    folder = working_directory / directory if directory else home / name
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise InvalidRequest(f"--directory: {folder} is there already; nothing was made") from error
    except OSError as error:
        raise InvalidRequest(f"--directory: {folder} cannot be made: {error.strerror}") from error
    _write(name, folder)
    if is_in_repository(folder):
        with (folder / "pyproject.toml").open("a") as file:
            file.write(_IN_REPOSITORY.format(name=name))
    return folder


def is_in_repository(folder: Path) -> bool:
    """Whether a folder is among the environments of this repository."""
    repository = _repository_of(folder)
    return repository is not None and folder.parent == repository / _ENVIRONMENTS


def _write(name: str, folder: Path) -> None:
    names = {
        "my-game": name,
        "my_game": name.replace("-", "_"),
        "MyGame": "".join(part.capitalize() for part in name.split("-")),
    }
    for source in sorted(_TEMPLATE.rglob("*")):
        if source.is_file() and "__pycache__" not in source.parts:
            target = folder / _renamed(str(source.relative_to(_TEMPLATE)), names)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_renamed(source.read_text(), names))


def _renamed(text: str, names: dict[str, str]) -> str:
    return re.sub("|".join(names), lambda found: names[found.group()], text)


def _repository_of(folder: Path) -> Path | None:
    """Find the checkout of this repository that a folder is in."""
    for parent in (folder, *folder.parents):
        worker = parent / "sandbox_image" / "worker" / "src" / "training_sandbox_worker"
        if worker.is_dir() and (parent / _ENVIRONMENTS).is_dir():
            return parent
    return None
