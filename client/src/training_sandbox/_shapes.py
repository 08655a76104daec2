"""From what an agent or a server said to the typed shapes of this package. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard, TypeVar, cast

from training_sandbox._exceptions import InvalidAnswer, InvalidRequest
from training_sandbox._json import JsonObject, as_list, as_object, dig, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from training_sandbox._types import (
        Action,
        Created,
        Message,
        ServerStatus,
        StepResult,
        TrajectoryRecord,
    )

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Branch:
    """An episode that goes on from where another stood.

    Attributes:
        step_index: how many steps were executed before its next one.
    """

    episode_id: str
    task_id: str
    step_index: int


def message_of(action: Action) -> JsonObject:
    """Return the assistant message of an action.

    Raises:
        InvalidRequest: it is neither a text nor a message with a role.
    """
    if isinstance(action, str):
        return {"role": "assistant", "content": action}
    message = as_object(plain(action))
    if not isinstance(message.get("role"), str):
        raise InvalidRequest(
            "action: a text, or a message such as "
            f'{{"role": "assistant", "content": "…"}}; got {action!r:.200}'
        )
    return message


def params_of(params: Mapping[str, object] | None) -> JsonObject:
    """Return the parameters as a JSON object.

    Raises:
        InvalidRequest: they are not a mapping.
    """
    copy = plain(params or {})
    if not _is_object(copy):
        raise InvalidRequest(f"params: a mapping; got {params!r:.200}")
    return copy


def task_ids(data: object) -> list[str]:
    """Read the data of /get_env_profile."""
    if not _is_list_of_texts(data):
        raise _unlike("a list of task ids", data)
    return data


def created(data: object) -> Created:
    """Read the data of /create."""
    answer = as_object(data)
    info = as_object(answer.get("info"))
    if not isinstance(info.get("instance_id"), str):
        raise _unlike("the first messages and an instance_id", data)
    return {
        "state": _messages(answer.get("state"), data),
        "info": {
            "instance_id": str(info["instance_id"]),
            "task_id": str(info.get("task_id", "")),
        },
    }


def group(data: object, names: Sequence[str]) -> list[Created]:
    """Read the data of /create_group: the episodes of these names, in this order."""
    return _episodes(data, names, created)


def branches(data: object, names: Sequence[str]) -> list[Branch]:
    """Read the data of /fork: the branches of these names, in this order."""
    return _episodes(data, names, _branch)


def step_result(data: object) -> StepResult:
    """Read the data of /step."""
    answer = as_object(data)
    terminated = answer.get("is_terminated")
    if not isinstance(terminated, bool):
        raise _unlike("a step's result", data)
    return {
        "state": _messages(answer.get("state"), data),
        "reward": reward(answer.get("reward")),
        "is_terminated": terminated,
        "info": as_object(answer.get("info")),
    }


def reward(data: object) -> float:
    """Read a reward: a number, and nothing that only looks like one."""
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise _unlike("a reward", data)
    return float(data)


def text(data: object) -> str:
    """Read the data of /get_info."""
    if not isinstance(data, str):
        raise _unlike("a text", data)
    return data


def server_status(data: object) -> ServerStatus:
    """Read the data of /status."""
    if not isinstance(as_object(data).get("phase"), str):
        raise _unlike("a server's status", data)
    return cast("ServerStatus", data)


def trajectory(json_lines: str) -> list[TrajectoryRecord]:
    """Read the answer of /trajectory."""
    # Not by splitlines(): a line may contain what Unicode takes for the end of one.
    records = [_record(line) for line in json_lines.split("\n") if line]
    if not records or records[0]["type"] != "episode":
        raise _unlike("an episode's trajectory", json_lines)
    return records


def _record(line: str) -> TrajectoryRecord:
    try:
        record: object = json.loads(line)
    except ValueError as error:
        raise _unlike("JSON Lines", line) from error
    if not isinstance(as_object(record).get("type"), str):
        raise _unlike("a trajectory's record", record)
    return cast("TrajectoryRecord", record)


def _episodes(data: object, names: Sequence[str], read: Callable[[object], T]) -> list[T]:
    items = as_list(as_object(data).get("episodes"))
    if [dig(item, "info", "instance_id") for item in items] != list(names):
        raise _unlike(f"{len(names)} episodes of the ids that were sent", data)
    return [read(item) for item in items]


def _branch(data: object) -> Branch:
    step_index = dig(data, "info", "step_index")
    if isinstance(step_index, bool) or not isinstance(step_index, int):
        raise _unlike("a branch", data)
    episode = created(data)
    return Branch(episode["info"]["instance_id"], episode["info"]["task_id"], step_index)


def _is_object(value: object) -> TypeGuard[JsonObject]:
    return isinstance(value, dict)


def _is_list_of_texts(value: object) -> TypeGuard[list[str]]:
    return _is_list(value) and all(isinstance(item, str) for item in value)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _messages(value: object, whole: object) -> list[Message]:
    items: Sequence[object] = as_list(value)
    if not items or not all(isinstance(as_object(item).get("role"), str) for item in items):
        raise _unlike("messages", whole)
    return cast("list[Message]", items)


def _unlike(expected: str, data: object) -> InvalidAnswer:
    return InvalidAnswer(f"expected {expected}; the server answered {data!r:.200}")
