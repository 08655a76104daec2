"""WebShop as an environment of Training Sandbox."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

# Otherwise numpy brings threads, and a process with threads cannot be forked.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from training_sandbox_webshop.episode import WebShopEpisode
from training_sandbox_webshop.goal import TRUTH, read_goal
from training_sandbox_webshop.prompts import tools
from training_sandbox_webshop.reward import score
from training_sandbox_webshop.saved_state import decode, require_possible
from training_sandbox_webshop.shop import DEFAULT_ROOT, ROOT_VARIABLE, Shop
from training_sandbox_webshop.splits import divide
from training_sandbox_worker.environment import Environment, Episode, Task

_NOT_PRELOADED = "preload comes first"


class WebShopEnvironment(Environment):
    """The goals of the catalogue at WEBSHOP_ROOT, which is only read."""

    name = "webshop"

    def __init__(self) -> None:
        self._root = Path(os.environ.get(ROOT_VARIABLE, DEFAULT_ROOT)).resolve()
        self._shop: Shop | None = None

    def preload(self) -> None:
        """Map the catalogue and search once; the truth is not touched.

        Raises:
            CatalogueUnusable: There is no catalogue.
        """
        self._shop = Shop(self._root)
        self._shop.search("a search makes numpy and the stemmer ready")

    def splits(self) -> Mapping[str, Sequence[str]]:
        """The numbers of the goals of train, dev and test."""
        return {
            split: [str(number) for number in numbers]
            for split, numbers in divide(self._open_shop.goals).items()
        }

    def tools(self) -> str:
        """The description of search and click."""
        return tools()

    def truth(self) -> Sequence[Path]:
        """What each goal wants."""
        return [self._root / TRUTH]

    def open(self, task: Task) -> Episode:
        """Start a task; params: `observation`, `available_actions` and `show_attributes`."""
        return WebShopEpisode(task, self._open_shop)

    def evaluate(self, task: Task, state: bytes, *, sparse: bool) -> float:
        """The reward of what was bought, 0 before; with `sparse` 1.0 only for the full reward.

        Raises:
            StateTampered: The saved state is not one that an episode saves.
        """
        purchase = decode(state, task.id)
        if purchase is None:
            return 0.0
        shop = self._open_shop
        bought = require_possible(purchase, shop.find(purchase.asin))
        goal = read_goal(self._root, int(task.id))
        target = shop.find(goal.asin)
        if target is None:
            raise RuntimeError(f"goal {task.id} wants a product that the catalogue does not have")
        reward = score(goal, target, bought, purchase.options).reward
        return float(reward == 1.0) if sparse else reward

    @property
    def _open_shop(self) -> Shop:
        assert self._shop is not None, _NOT_PRELOADED  # noqa: S101
        return self._shop
