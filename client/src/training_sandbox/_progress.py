"""What a person sees while waiting: one line on the terminal, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from rich.status import Status


class Progress(Protocol):
    """A line that says what is being waited for."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...

    def say(self, text: str) -> None:
        """Replace the line."""
        ...


class QuietProgress:
    """Says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def say(self, text: str) -> None:
        """Say nothing."""


class LineProgress:
    """One line on standard error, with a spinner; gone when the wait is over."""

    def __init__(self, console: Console) -> None:
        self._status: Status = console.status("")

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._status.stop()

    def say(self, text: str) -> None:
        """Replace the line."""
        self._status.update(escape(text))


class PlainProgress:
    """A line of its own for each change, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def say(self, text: str) -> None:
        """Print the text unless it was the last one."""
        if text != self._last:
            self._console.print(escape(text), soft_wrap=True, highlight=False)
            self._last = text


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that a person may watch.

    Attributes:
        seconds: how long, at the most.
        shown: whether to show what is being waited for; None on a terminal only.
    """

    seconds: float
    shown: bool | None

    def progress(self) -> Progress:
        """Return the line that shows it."""
        console = Console(stderr=True)
        if self.shown is False or (self.shown is None and not console.is_terminal):
            return QuietProgress()
        return LineProgress(console) if console.is_terminal else PlainProgress(console)
