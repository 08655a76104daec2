"""The templates that are kept: the tasks used lately, as many as memory allows."""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from training_sandbox_server import memory
from training_sandbox_server.errors import InvalidRequestError
from training_sandbox_server.forker import Forker, ForkError
from training_sandbox_server.logs import about
from training_sandbox_server.strict_json import canonical
from training_sandbox_server.template import Template, TemplateError

_WORTH_A_TEMPLATE = 2
"""A task that is opened a second time will probably be opened again."""

LEAST_FREE_SHARE = 0.1
"""Of memory: with less than that left none is made, and they are dropped (`memory_guard`)."""

_MOST_COUNTED = 10_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TemplatesStatus:
    """What the templates take."""

    count: int
    memory_bytes: int


class Templates:
    """Makes templates, in the background or at once, and drops those used longest ago.

    Args:
        zygote: Their processes are forked from it.
        seconds: How long opening a task may take.
        budget_bytes: How much memory they may take together.
    """

    def __init__(self, zygote: Forker, *, seconds: float, budget_bytes: int) -> None:
        self._zygote = zygote
        self._seconds = seconds
        self._budget_bytes = budget_bytes
        self._ready: OrderedDict[str, Template] = OrderedDict()
        self._making: dict[str, asyncio.Task[Template]] = {}
        self._wanted: set[str] = set()
        self._planned: OrderedDict[str, Mapping[str, object]] = OrderedDict()
        self._making_planned: asyncio.Task[None] | None = None
        # By a hash, for params can be large: one that two tasks share makes a template early.
        self._opened: Counter[int] = Counter()

    @property
    def status(self) -> TemplatesStatus:
        """How many there are, and what they take."""
        return TemplatesStatus(len(self._ready), self._memory_bytes)

    def find(self, task: Mapping[str, object]) -> Template | None:
        """The template of a task that is about to be opened, if there is one.

        When the task was opened before and there is none, one is made in the background.
        """
        key = canonical(task)
        template = self._find_ready(key)
        if template is not None:
            self._ready.move_to_end(key)
            return template
        self._opened[hash(key)] += 1
        if self._opened[hash(key)] >= _WORTH_A_TEMPLATE:
            self.prepare(task)
        if len(self._opened) > _MOST_COUNTED:
            self._opened.clear()
        return None

    def find_ready(self, task: Mapping[str, object]) -> Template | None:
        """The template of a task if there is one; nothing is counted, and nothing made."""
        return self._find_ready(canonical(task))

    def prepare(self, task: Mapping[str, object]) -> None:
        """Make a template in the background, after those that were asked for before."""
        key = canonical(task)
        if key in self._making or self._find_ready(key) is not None or not self._may_grow():
            return
        self._planned.setdefault(key, task)
        if self._making_planned is None or self._making_planned.done():
            self._making_planned = asyncio.create_task(self._make_planned())

    async def warm(self, task: Mapping[str, object]) -> None:
        """Make a template now, if there is none: whoever waits for it waits for no other.

        Raises:
            InvalidRequestError: The environment does not take the params.
            ForkError, TimeoutError, TemplateError: There is none.
        """
        key = canonical(task)
        if self._find_ready(key) is None:
            self._planned.pop(key, None)
            self._wanted.add(key)
            await asyncio.shield(self._start(key, task))

    async def drop(self, count: int) -> None:
        """Drop those used longest ago, since memory is short, and wait until it is back.

        What has episodes ends with the last of them, which is not waited for.
        """
        count = min(count, len(self._ready))
        dropped = [self._drop_oldest("memory is short") for _ in range(count)]
        await asyncio.gather(*(template.wait() for template in dropped if not template.children))

    async def _make_planned(self) -> None:
        while self._planned:
            key, task = self._planned.popitem(last=False)
            # Those that were made meanwhile are not pushed out by one for later.
            if self._find_ready(key) is None and self._may_grow():
                await asyncio.wait({self._start(key, task)})

    def _find_ready(self, key: str) -> Template | None:
        template = self._ready.get(key)
        return template if template is not None and not template.gone.is_set() else None

    def _start(self, key: str, task: Mapping[str, object]) -> "asyncio.Task[Template]":
        if key not in self._making:
            making = asyncio.create_task(self._make(key, task))
            self._making[key] = making
            making.add_done_callback(lambda done: self._made(key, done))
        return self._making[key]

    async def _make(self, key: str, task: Mapping[str, object]) -> Template:
        template = await Template.make(self._zygote, task, self._seconds)
        self._ready[key] = template
        # One for later pushes out none that is there.
        self._ready.move_to_end(key, last=key in self._wanted)
        while self._memory_bytes > self._budget_bytes and len(self._ready) > 1:
            self._drop_oldest("the budget is spent")
        return template

    def _made(self, key: str, made: "asyncio.Task[Template]") -> None:
        self._making.pop(key, None)
        self._wanted.discard(key)
        error = None if made.cancelled() else made.exception()
        match error:
            case None | InvalidRequestError():
                pass
            case ForkError() | TimeoutError() | TemplateError():
                log.warning("no template", extra=about(task=key, why=str(error) or "too slow"))
            case _:
                log.error("no template", extra=about(task=key), exc_info=error)

    def _drop_oldest(self, why: str) -> Template:
        key, template = self._ready.popitem(last=False)
        log.info("template dropped", extra=about(task=key, why=why, uses=template.uses))
        template.retire()
        return template

    @property
    def _memory_bytes(self) -> int:
        for key in [key for key, template in self._ready.items() if template.gone.is_set()]:
            del self._ready[key]
        return sum(template.memory_bytes for template in self._ready.values())

    def _may_grow(self) -> bool:
        within = self._memory_bytes < self._budget_bytes
        return within and memory.read().free_share >= LEAST_FREE_SHARE
