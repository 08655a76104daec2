"""Validation of the action of a step: one assistant message."""

from collections.abc import Mapping, Sequence
from typing import cast

from training_sandbox_server.errors import InvalidRequestError


def action_message(messages: object) -> dict[str, object]:
    """The action in the `messages` of a step.

    The field's name is plural and its value one message; a list of one message is taken too.

    Raises:
        InvalidRequestError: It is no object with a string `role` and a string `content`. The
            content may be missing or null when `tool_calls` is a list that is not empty.
    """
    if isinstance(messages, list):
        listed = cast("list[object]", messages)
        if len(listed) != 1:
            raise _invalid("messages", f"must be one message, not a list of {len(listed)}")
        (messages,) = listed
    if not isinstance(messages, dict):
        raise _invalid("messages", "must be an object with a role and a content")
    message = cast("dict[str, object]", messages)
    if not isinstance(message.get("role"), str):
        raise _invalid("messages.role", "must be a string")
    content = message.get("content")
    if content is None and _has_tool_calls(message):
        return message
    if not isinstance(content, str):
        raise _invalid("messages.content", "must be a string")
    return message


def _has_tool_calls(message: Mapping[str, object]) -> bool:
    tool_calls = message.get("tool_calls")
    return isinstance(tool_calls, list) and len(cast("Sequence[object]", tool_calls)) > 0


def _invalid(field: str, allowed: str) -> InvalidRequestError:
    return InvalidRequestError(f"{field} {allowed}", field=field)
