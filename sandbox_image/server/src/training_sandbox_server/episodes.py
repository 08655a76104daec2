"""The table of episodes: admission, look-up, expiry, and the memory of those that are over."""

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence

from training_sandbox_server.episode import Episode
from training_sandbox_server.episode_identity import Identity, Origin
from training_sandbox_server.episode_processes import FAILURES
from training_sandbox_server.episode_state import EpisodeState, Loss, refusal
from training_sandbox_server.errors import (
    EpisodeExistsError,
    EpisodeNotFoundError,
    ForkUnsupportedError,
    FullError,
    InvalidRequestError,
)
from training_sandbox_server.logs import about
from training_sandbox_server.process_failures import opening_failure
from training_sandbox_server.protocol import MAX_ID_LENGTH
from training_sandbox_server.state_directory import StateDirectory
from training_sandbox_server.trajectory import Trajectory
from training_sandbox_server.workers import Workers

_REMEMBERED = 10_000
_EXPIRY_CHECKS_SECONDS = 1.0

log = logging.getLogger(__name__)


class Episodes:
    """All episodes of this server.

    A slot is taken when a create starts and free when nothing of the episode is left. An id whose
    episode is over may be used again: for a new episode.

    Args:
        workers: Where their processes come from.
        directory: Holds their trajectories.
        slots: How many there may be at once.
        idle_seconds: How long one lives without a call.
        trajectory_bytes: How much of a trajectory is kept.
        on_step: Called for every step that was executed.
    """

    def __init__(
        self,
        workers: Workers,
        directory: StateDirectory,
        *,
        slots: int,
        idle_seconds: float,
        trajectory_bytes: int,
        on_step: Callable[[], None],
    ) -> None:
        self.slots = slots
        self._workers = workers
        self._directory = directory
        self._idle_seconds = idle_seconds
        self._trajectory_bytes = trajectory_bytes
        self._on_step = on_step
        self._episodes: dict[str, Episode] = {}
        self._openings: dict[Episode, asyncio.Task[None]] = {}
        self._holding_slots: set[Episode] = set()
        self._over: OrderedDict[str, tuple[EpisodeState, Loss | None]] = OrderedDict()

    @property
    def used(self) -> int:
        """The slots that are taken."""
        return len(self._holding_slots)

    @property
    def holding_slots(self) -> Collection[Episode]:
        """Those of which something is left, also while they end."""
        return self._holding_slots

    @property
    def by_state(self) -> Mapping[EpisodeState, int]:
        """How many episodes that hold a slot are in each state."""
        return Counter(episode.state for episode in self._holding_slots)

    async def create(
        self, task_id: str, params: Mapping[str, object], episode_id: str | None = None
    ) -> Episode:
        """A new episode; the one that is there if it was created with the same arguments.

        Raises:
            EpisodeExistsError: One is there that was created with other arguments.
            FullError: All slots are taken.
            SandboxError: It could not be opened, see `Episode.open`; nothing is left of it.
        """
        (episode,) = await self.create_group(
            task_id, params, 1, None if episode_id is None else [episode_id]
        )
        return episode

    async def create_group(
        self,
        task_id: str,
        params: Mapping[str, object],
        count: int,
        episode_ids: Sequence[str] | None,
    ) -> list[Episode]:
        """Episodes of one task; those that are there if they were created with these arguments.

        Args:
            task_id: The task.
            params: Of all of them.
            count: How many.
            episode_ids: Their ids, as many; None for ids that are made up.

        Raises:
            EpisodeExistsError: Some of the ids are in use, or with other arguments.
            FullError: There are not as many slots as ids.
            SandboxError: One could not be opened; nothing is left of any of them.
        """
        identities = [
            Identity(episode_id, task_id, params)
            for episode_id in episode_ids or [secrets.token_hex(16) for _ in range(count)]
        ]
        episodes = self._existing(identities) or self._admit(identities, self._open)
        await self._wait_until_open(episodes)
        return episodes

    async def fork(
        self, parent: Episode, count: int, episode_ids: Sequence[str] | None, *, reseed: bool
    ) -> list[Episode]:
        """Branches of an episode; those that are there if they were made with these arguments.

        Args:
            parent: The episode, running.
            count: How many branches.
            episode_ids: Their ids, as many; None for ids that are made up.
            reseed: Whether each has random numbers of its own.

        Raises:
            ForkUnsupportedError: Not on this kernel.
            EpisodeExistsError: Some of the ids are in use, or with other arguments.
            FullError: There are not as many slots as branches.
            SandboxError: See `Episode.fork`; there are no branches.
        """
        if not self._workers.can_branch:
            raise ForkUnsupportedError(
                "running episodes cannot be forked here; /status says what is missing"
            )
        parent.refuse_if_terminated()
        origin = Origin(parent.id, parent.life, reseed)
        identities = [
            Identity(episode_id, parent.identity.task_id, parent.identity.params, origin)
            for episode_id in episode_ids or self._ids_of_branches(parent.id, count)
        ]
        existing = self._existing(identities)
        if existing is None:
            branches = self._admit(identities, lambda new: parent.fork(new, reseed=reseed))
            await self._wait_until_open(branches)
            return branches
        await self._wait_until_open(existing)
        if any(branch.first_index != parent.ledger.executed for branch in existing):
            raise EpisodeExistsError(
                f"these branches of {parent.id} exist, but it made more steps since"
            )
        return existing

    async def find(self, episode_id: str) -> Episode:
        """The episode with an id; when it is being opened, once it is open.

        Raises:
            EpisodeReleasedError, EpisodeExpiredError, EpisodeLostError: It is over.
            EpisodeNotFoundError: There was none, or it was over long ago.
        """
        episode = self._episodes.get(episode_id)
        if episode is None:
            if episode_id in self._over:
                state, loss = self._over[episode_id]
                raise refusal(state, episode_id, loss)
            raise EpisodeNotFoundError(f"there is no episode {episode_id}")
        if not self._openings[episode].done():
            await asyncio.wait({self._openings[episode]})
            episode.refuse_if_over()
        return episode

    async def release(self, episode_id: str) -> bool:
        """End an episode, whatever it is doing.

        Returns:
            False for an id that is not known; an episode that is over was released well enough.
        """
        episode = self._episodes.get(episode_id)
        if episode is None:
            return episode_id in self._over
        await episode.end(EpisodeState.RELEASED, "released")
        return True

    async def expire_idle(self, spared: Callable[[], str | None]) -> None:
        """End episodes that nobody calls, for ever.

        Args:
            spared: Returns the id of an episode that stays to be evaluated once it terminated.
        """
        while True:
            idle = [
                episode
                for episode in self._episodes.values()
                if episode.idle_seconds >= self._idle_seconds
                and not (episode.id == spared() and episode.state is EpisodeState.TERMINATED)
            ]
            await asyncio.gather(*(episode.end(EpisodeState.EXPIRED, "idle") for episode in idle))
            await asyncio.sleep(min(_EXPIRY_CHECKS_SECONDS, self._idle_seconds / 4))

    async def lose_all(self, why: str) -> None:
        """End all episodes as lost."""
        ends = [episode.end(EpisodeState.LOST, why) for episode in self._episodes.values()]
        await asyncio.gather(*ends)

    def _existing(self, identities: Sequence[Identity]) -> list[Episode] | None:
        """The episodes of these identities; None if none of their ids is in use."""
        existing: list[Episode] = []
        for identity in identities:
            episode = self._episodes.get(identity.episode_id)
            if episode is not None and episode.identity != identity:
                raise EpisodeExistsError(
                    f"episode {episode.id} exists, with another task_id or other params"
                    if episode.identity.origin == identity.origin
                    else f"episode {episode.id} exists, and has another origin"
                )
            if episode is not None:
                existing.append(episode)
        if existing and len(existing) < len(identities):
            raise EpisodeExistsError(f"episode {existing[0].id} exists, others of these do not")
        return existing or None

    def _admit(
        self,
        identities: Sequence[Identity],
        start: Callable[[Sequence[Episode]], Coroutine[object, object, None]],
    ) -> list[Episode]:
        """New episodes, which `start` is about to open."""
        if len(identities) > self.slots:
            raise InvalidRequestError(
                f"n must be at most {self.slots}, the number of slots here", field="n"
            )
        if self.used + len(identities) > self.slots:
            raise FullError(
                f"{self.slots - self.used} of {self.slots} slots are free, {len(identities)} are "
                "needed; release episodes or come again"
            )
        episodes = [self._new(identity) for identity in identities]
        opening = asyncio.create_task(self._all_or_none(episodes, start))
        self._openings |= dict.fromkeys(episodes, opening)
        return episodes

    def _new(self, identity: Identity) -> Episode:
        episode = Episode(
            identity,
            Trajectory(self._directory.new_trajectory(), self._trajectory_bytes),
            on_step=self._on_step,
            on_over=self._forget,
            on_gone=self._holding_slots.discard,
        )
        self._episodes[episode.id] = episode
        self._holding_slots.add(episode)
        self._over.pop(episode.id, None)
        parent = {"parent": identity.origin.parent} if identity.origin else {}
        log.info(
            "episode created", extra=about(episode=episode.id, task=identity.task_id, **parent)
        )
        return episode

    async def _open(self, episodes: Sequence[Episode]) -> None:
        task_id, params = episodes[0].identity.task_id, episodes[0].identity.params
        if len(episodes) > 1:
            try:
                await self._workers.warm(task_id, params)
            except FAILURES as error:
                raise opening_failure(error, f"task {task_id}") from error
        processes = [self._workers.processes(task_id, params) for _ in episodes]
        await asyncio.gather(*map(Episode.open, episodes, processes))

    async def _all_or_none(
        self,
        episodes: Sequence[Episode],
        start: Callable[[Sequence[Episode]], Coroutine[object, object, None]],
    ) -> None:
        try:
            await start(episodes)
            for episode in episodes:
                episode.refuse_if_over()
        except BaseException as error:
            why = f"not all could be opened: {error}"
            ends = [episode.end(EpisodeState.LOST, why) for episode in episodes]
            await asyncio.gather(*ends)
            raise

    async def _wait_until_open(self, episodes: Sequence[Episode]) -> None:
        with contextlib.ExitStack() as uses:
            for episode in episodes:
                uses.enter_context(episode.in_use())
            openings = {self._openings[episode] for episode in episodes}
            await asyncio.gather(*map(asyncio.shield, openings))

    def _ids_of_branches(self, parent: str, count: int) -> list[str]:
        """Ids that are free: `<parent>.1`, `.2` …, with less of the parent where that is long."""
        numbered = (
            parent[: MAX_ID_LENGTH - len(suffix)] + suffix
            for suffix in map(".{}".format, itertools.count(1))
        )
        free = (name for name in numbered if name not in self._episodes and name not in self._over)
        return list(itertools.islice(free, count))

    def _forget(self, episode: Episode) -> None:
        del self._episodes[episode.id]
        opening = self._openings.pop(episode)
        if opening.done() or episode.state is not EpisodeState.LOST:
            self._over[episode.id] = episode.state, episode.loss
            if len(self._over) > _REMEMBERED:
                self._over.popitem(last=False)
