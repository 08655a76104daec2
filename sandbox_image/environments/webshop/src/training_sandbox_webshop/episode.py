"""An episode: one visit to the shop."""

from collections.abc import Mapping

from training_sandbox_webshop.actions import parse_message
from training_sandbox_webshop.prompts import View, system
from training_sandbox_webshop.saved_state import Purchase, encode
from training_sandbox_webshop.session import Session
from training_sandbox_webshop.shop import Shop
from training_sandbox_worker.environment import (
    Episode,
    InvalidAction,
    Message,
    Observation,
    Task,
)

OBSERVATIONS = ("text", "text_rich")


class WebShopEpisode(Episode):
    """Plays one task. It knows its instruction, and nothing of its goal.

    Args:
        task: The task.
        shop: What is sold.

    Raises:
        InvalidAction: A param is not what it should be.
    """

    def __init__(self, task: Task, shop: Shop) -> None:
        self._task = task.id
        self._view = View(
            rich=_observation(task.params) == "text_rich",
            available_actions=_flag(task.params, "available_actions", default=True),
        )
        self._session = Session(
            shop=shop,
            instruction=shop.instruction(int(task.id)),
            show_attributes=_flag(task.params, "show_attributes", default=False),
        )

    def initial_messages(self) -> list[Message]:
        """How to shop, and the search page with the instruction."""
        return [
            {"role": "system", "content": system()},
            {"role": "user", "content": self._view.tell(self._session)},
        ]

    def step(self, message: Message) -> Observation:
        """Take the action of the message; the answer is the page that is open then."""
        action = parse_message(message)
        match action.name:
            case "search":
                self._session.search(action.argument)
            case "click":
                self._session.click(action.argument)
            case _:
                pass
        answer: Message = {
            "role": "user",
            "content": self._view.tell(self._session),
            "tool_calls": [],
        }
        return Observation(messages=[answer], terminated=self._session.bought is not None)

    def save(self) -> bytes:
        """What was bought."""
        bought = self._session.bought
        purchase = None if bought is None else Purchase(bought, self._session.options)
        return encode(self._task, purchase)


def _observation(params: Mapping[str, object]) -> str:
    value = params.get("observation", OBSERVATIONS[0])
    if not isinstance(value, str) or value not in OBSERVATIONS:
        raise InvalidAction(f"params.observation must be one of {', '.join(OBSERVATIONS)}")
    return value


def _flag(params: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = params.get(name, default)
    if not isinstance(value, bool):
        raise InvalidAction(f"params.{name} must be true or false")
    return value
