"""The way into the `appworld` package, which has no types and must not be imported too early.

`appworld` reads APPWORLD_ROOT when it is imported and takes seconds to import. So nothing here
imports it at the top, and everything that it returns is `Any`; the modules that use this one give
it types again where it enters.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT_VARIABLE = "APPWORLD_ROOT"

_DEFAULT_ROOT = "/opt/world"

FORBIDDEN_IN_ROOT = "memory"
"""AppWorld takes every path with this word in it for an in-memory database."""


class WorldUnusable(RuntimeError):  # noqa: N818 (reads better where it is caught)
    """The AppWorld root cannot be used; the text says why and what to do."""


def module(name: str) -> Any:
    """A module of the `appworld` package, by its dotted name below the package."""
    return import_module(f"appworld.{name}")


def root() -> Path:
    """Where the world is."""
    return Path(os.environ.get(ROOT_VARIABLE, _DEFAULT_ROOT))


def require_usable_root(root: Path) -> None:
    """Check the path of a root, not what is there.

    Raises:
        WorldUnusable: AppWorld cannot work at this path.
    """
    if FORBIDDEN_IN_ROOT in str(root.resolve()):
        raise WorldUnusable(
            f'the path of an AppWorld root must not contain the word "{FORBIDDEN_IN_ROOT}" '
            f"(AppWorld takes it for an in-memory database): {root.resolve()}"
        )


def use_root(root: Path) -> None:
    """Import AppWorld, and make it read its data from `root`."""
    os.environ[ROOT_VARIABLE] = str(root.resolve())
    module("common.path_store").path_store.update_root(str(root.resolve()))


def require_installed_apps() -> None:
    """Check that `appworld install` was run.

    Raises:
        WorldUnusable: AppWorld's apps are not unpacked.
    """
    package = find_spec("appworld")
    places = package.submodule_search_locations if package else None
    if not any((Path(place) / "apps" / "supervisor").is_dir() for place in places or ()):
        raise WorldUnusable(
            "AppWorld's apps are not unpacked: run `appworld install` in the environment's venv"
        )
