"""What leaves an episode's process: messages, checked and cut to size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from training_sandbox_worker.environment import Message

MAX_CONTENT_BYTES = 1024 * 1024
"""The longest content of a message, in bytes of UTF-8; agent code can print without end."""

_MOST_BYTES_PER_CHARACTER = 4


@dataclass(frozen=True, slots=True)
class Presentable:
    """A message that may leave.

    Attributes:
        message: With a role and a content.
        truncated: Whether the end of the content is missing.
    """

    message: Message
    truncated: bool


def presentable(messages: Sequence[Message]) -> list[Message]:
    """The messages with contents that are cut at `MAX_CONTENT_BYTES`.

    Raises:
        TypeError: Something is no message with a role and a content.
    """
    return [_presentable(message).message for message in messages]


def presentable_one(messages: Sequence[Message]) -> Presentable:
    """The single message of a step's observation.

    Raises:
        TypeError: It is no message.
        ValueError: There is not exactly one.
    """
    if len(messages) != 1:
        raise ValueError(f"the observation of a step is one message, not {len(messages)}")
    return _presentable(messages[0])


def _presentable(message: object) -> Presentable:
    if not isinstance(message, dict):
        raise TypeError(f"a message is a dict, not {type(message).__name__}")
    fields = cast("Message", message)
    role, content = fields.get("role"), fields.get("content")
    if not isinstance(role, str) or not isinstance(content, str):
        raise TypeError("a message has a role and a content, both strings")
    kept = cut(content)
    return Presentable({**fields, "content": kept}, truncated=kept is not content)


def cut(text: str) -> str:
    """The text itself, or as much of its beginning as is allowed and a note that says so."""
    if len(text) * _MOST_BYTES_PER_CHARACTER <= MAX_CONTENT_BYTES:
        return text
    encoded = text.encode(errors="replace")
    if len(encoded) <= MAX_CONTENT_BYTES:
        return text
    kept = encoded[:MAX_CONTENT_BYTES].decode(errors="ignore")
    return f"{kept}\n[cut: the first {MAX_CONTENT_BYTES} of {len(encoded)} bytes]"
