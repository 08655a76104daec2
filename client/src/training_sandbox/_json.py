"""Reading JSON that others wrote, without trusting its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

JsonObject: TypeAlias = dict[str, object]


def as_object(value: object) -> JsonObject:
    """Return the JSON object, or an empty one when it is something else."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return the JSON array, or an empty one when it is something else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def as_text(value: object) -> str:
    """Return the string, or an empty one when it is something else."""
    return value if isinstance(value, str) else ""


def dig(value: object, *path: str) -> object:
    """Follow keys into nested objects; None where the path ends early."""
    for key in path:
        value = as_object(value).get(key)
    return value


def plain(value: object) -> object:
    """Turn mappings and sequences of any type into the dicts and lists that JSON knows."""
    if isinstance(value, Mapping):
        return {
            str(key): plain(item) for key, item in cast("Mapping[object, object]", value).items()
        }
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in cast("Sequence[object]", value)]
    return value
