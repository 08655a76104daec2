"""What is read of a world's data without AppWorld: whether it is there, and its task ids."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from training_sandbox_appworld.library import ROOT_VARIABLE, WorldUnusable

SPLITS = ("train", "dev", "test_normal", "test_challenge")

_REQUIRED = ("api_docs/standard", "base_dbs", "datasets", "tasks")

_WHAT_TO_DO = (
    f"Mount a world there or set {ROOT_VARIABLE} to one, or build the image with "
    "APPWORLD_DATA=download (AppWorld's own data) or APPWORLD_DATA=synthetic (a generated world); "
    "`python -m training_sandbox_appworld.world --root DIR` generates one."
)


def read_splits(root: Path) -> Mapping[str, Sequence[str]]:
    """The task ids of each split of the world at `root`.

    Raises:
        WorldUnusable: There is no world, or it is not whole.
    """
    data = root / "data"
    missing = [name for name in _REQUIRED if not (data / name).is_dir()]
    if missing:
        names = ", ".join(str(data / name) for name in missing)
        raise WorldUnusable(f"There is no AppWorld world at {root}: missing {names}. {_WHAT_TO_DO}")
    files = {split: data / "datasets" / f"{split}.txt" for split in SPLITS}
    splits = {split: _read_ids(path) for split, path in files.items() if path.is_file()}
    if not any(splits.values()):
        raise WorldUnusable(
            f"The AppWorld world at {root} has no tasks in {data / 'datasets'}. {_WHAT_TO_DO}"
        )
    return splits


def _read_ids(path: Path) -> list[str]:
    """The ids, one a line; a tag after a colon is not part of an id."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line.partition(":")[0] for line in lines if line]
