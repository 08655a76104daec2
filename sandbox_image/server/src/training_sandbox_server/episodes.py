"""The table of episodes: admission, look-up, expiry, and the memory of those that are over."""

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Mapping

from training_sandbox_server.episode import Episode, Identity
from training_sandbox_server.episode_processes import EpisodeProcesses, episode_context
from training_sandbox_server.episode_state import EpisodeState, refusal
from training_sandbox_server.errors import EpisodeExistsError, EpisodeNotFoundError, FullError
from training_sandbox_server.logs import about
from training_sandbox_server.state_directory import StateDirectory
from training_sandbox_server.zygote_client import Zygote

_REMEMBERED = 10_000
_EXPIRY_CHECKS_SECONDS = 1.0

log = logging.getLogger(__name__)


class Episodes:
    """All episodes of this server.

    A slot is taken when a create starts and free when nothing of the episode is left. An id whose
    episode is over may be used again: for a new episode.

    Args:
        zygote: Forks their processes.
        directory: Holds their directories.
        slots: How many there may be at once.
        step_seconds: The deadline of a step.
        idle_seconds: How long one lives without a call.
    """

    def __init__(
        self,
        zygote: Zygote,
        directory: StateDirectory,
        *,
        slots: int,
        step_seconds: float,
        idle_seconds: float,
    ) -> None:
        self.slots = slots
        self._zygote = zygote
        self._directory = directory
        self._step_seconds = step_seconds
        self._idle_seconds = idle_seconds
        self._episodes: dict[str, Episode] = {}
        self._openings: dict[Episode, asyncio.Task[None]] = {}
        self._holding_slots: set[Episode] = set()
        self._over: OrderedDict[str, EpisodeState] = OrderedDict()

    @property
    def used(self) -> int:
        """The slots that are taken."""
        return len(self._holding_slots)

    async def create(
        self, task_id: str, params: Mapping[str, object], episode_id: str | None = None
    ) -> Episode:
        """A new episode; the one that is there if it was created with the same arguments.

        Raises:
            EpisodeExistsError: One is there that was created with other arguments.
            FullError: All slots are taken.
            SandboxError: It could not be opened, see `Episode.open`; nothing is left of it.
        """
        identity = Identity(episode_id or secrets.token_hex(16), task_id, params)
        episode = self._episodes.get(identity.episode_id)
        if episode is None:
            episode = self._admit(identity)
        elif episode.identity != identity:
            raise EpisodeExistsError(
                f"episode {episode.id} exists, with another task_id or other params"
            )
        with episode.in_use():
            await asyncio.shield(self._openings[episode])
        return episode

    def find(self, episode_id: str) -> Episode:
        """The episode with an id.

        Raises:
            EpisodeReleasedError, EpisodeExpiredError, EpisodeLostError: It is over.
            EpisodeNotFoundError: There was none, or it was over long ago.
        """
        episode = self._episodes.get(episode_id)
        if episode is not None:
            return episode
        if episode_id in self._over:
            raise refusal(self._over[episode_id], episode_id)
        raise EpisodeNotFoundError(f"there is no episode {episode_id}")

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

    async def expire_idle(self, spared: str | None) -> None:
        """End episodes that nobody calls, for ever.

        Args:
            spared: The id of an episode that stays to be evaluated once it terminated.
        """
        while True:
            idle = [
                episode
                for episode in self._episodes.values()
                if episode.idle_seconds >= self._idle_seconds
                and not (episode.id == spared and episode.state is EpisodeState.TERMINATED)
            ]
            await asyncio.gather(*(episode.end(EpisodeState.EXPIRED, "idle") for episode in idle))
            await asyncio.sleep(min(_EXPIRY_CHECKS_SECONDS, self._idle_seconds / 4))

    async def lose_all(self, why: str) -> None:
        """End all episodes as lost."""
        ends = [episode.end(EpisodeState.LOST, why) for episode in self._episodes.values()]
        await asyncio.gather(*ends)

    def _admit(self, identity: Identity) -> Episode:
        if self.used >= self.slots:
            raise FullError(f"all {self.slots} slots are taken; release an episode or come again")
        directory = self._directory.new_episode()
        context = episode_context(identity.episode_id, identity.task_id, identity.params, directory)
        episode = Episode(
            identity,
            EpisodeProcesses(self._zygote, context, self._step_seconds),
            directory,
            on_over=self._forget,
            on_gone=self._holding_slots.discard,
        )
        self._episodes[episode.id] = episode
        self._holding_slots.add(episode)
        self._over.pop(episode.id, None)
        self._openings[episode] = asyncio.create_task(episode.open())
        log.info("episode created", extra=about(episode=episode.id, task=identity.task_id))
        return episode

    def _forget(self, episode: Episode) -> None:
        del self._episodes[episode.id]
        del self._openings[episode]
        if episode.was_opened or episode.state is not EpisodeState.LOST:
            self._over[episode.id] = episode.state
            if len(self._over) > _REMEMBERED:
                self._over.popitem(last=False)
