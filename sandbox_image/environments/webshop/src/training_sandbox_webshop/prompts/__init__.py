"""What an agent is told: the system message, the description of the tools, and the pages."""

import json
from dataclasses import dataclass
from importlib.resources import files

from training_sandbox_webshop.pages import Page, clickables, plain_text, rich_text
from training_sandbox_webshop.session import Session

AVAILABLE = "Available actions: "
"""What the last line of an observation starts with; a JSON object follows."""


@dataclass(frozen=True, slots=True)
class View:
    """How pages are told.

    Attributes:
        rich: As WebShop's `text_rich`, not as its `text`.
        available_actions: With what the page offers in the last line.
    """

    rich: bool
    available_actions: bool

    def tell(self, session: Session) -> str:
        """The page that is open."""
        page = session.page
        text = rich_text(page, session.options, session.visited) if self.rich else plain_text(page)
        return f"{text}\n\n{_available(page)}" if self.available_actions else text


def system() -> str:
    """The system message."""
    return _read("system.txt")


def tools() -> str:
    """The description of search and click."""
    return _read("tools.txt")


def _available(page: Page) -> str:
    offered = {"has_search_bar": page.has_search_bar, "clickables": list(clickables(page))}
    return AVAILABLE + json.dumps(offered, ensure_ascii=False)


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
