"""One life of a server process: boot, serve, drain, end."""

import asyncio
import logging
from enum import StrEnum
from pathlib import Path

from training_sandbox_server import __version__, termination
from training_sandbox_server.activity import Activity
from training_sandbox_server.boot import Loaded, StartError, load, start_error
from training_sandbox_server.bound_task import Binding, BoundTask
from training_sandbox_server.errors import BootingError, DrainingError, another_incarnation
from training_sandbox_server.incarnation_name import incarnation_name, may_mean
from training_sandbox_server.logs import about
from training_sandbox_server.memory_guard import MemoryGuard
from training_sandbox_server.memory_use import MemoryUse
from training_sandbox_server.metrics import Metrics
from training_sandbox_server.protocol import Slots, Status, TemplatesStatus, VerbRequest
from training_sandbox_server.reaper import ChildReaper
from training_sandbox_server.settings import Settings
from training_sandbox_server.state_directory import StateDirectory
from training_sandbox_server.verbs import Verbs
from training_sandbox_server.zygote_client import BootError, Zygote
from training_sandbox_worker import process

_PING_SECONDS = 3.0
_LAST_PROCESSES_SECONDS = 5.0

log = logging.getLogger(__name__)


class Phase(StrEnum):
    """What the server is doing."""

    BOOTING = "booting"
    SERVING = "serving"
    DRAINING = "draining"


class Incarnation:
    """An environment's zygote and everything that is played in it, from boot to end.

    It is never repaired: when the zygote dies all episodes are lost, the process ends, and the
    next one has another name.

    Attributes:
        name: No other incarnation has it.
        phase: What it is doing.
        metrics: What it counts.

    Args:
        settings: The settings.
        directory: The state directory, entered.
        control_group: What memory there is, see `memory.read`.
    """

    def __init__(self, settings: Settings, directory: StateDirectory, control_group: Path) -> None:
        self.name = incarnation_name(settings.pod_uid, directory.start)
        self.phase = Phase.BOOTING
        self.metrics = Metrics(__version__, settings.environment)
        self._memory_use = MemoryUse()
        self._settings = settings
        self._directory = directory
        self._control_group = control_group
        self._activity = Activity()
        self._drain_asked = asyncio.Event()
        self._zygote: Zygote | None = None
        self._loaded: Loaded | None = None
        self._verbs: Verbs | None = None
        self._binding = Binding()
        if settings.task_id is not None and settings.episode_id is not None:
            self._binding.task = BoundTask(
                settings.task_id, settings.episode_id, settings.params or {}
            )

    def verbs(self, request: VerbRequest) -> Verbs:
        """The verbs, for a call that a draining server still answers.

        Raises:
            EpisodeLostError: The request means another incarnation.
            BootingError: The environment is not loaded yet.
            DrainingError: And it will not be.
        """
        if request.incarnation is not None and request.incarnation != self.name:
            raise another_incarnation(request.incarnation)
        return self._present_verbs()

    def _present_verbs(self) -> Verbs:
        if self._verbs is None and self.phase is Phase.BOOTING:
            raise BootingError("the environment is being loaded")
        if self._verbs is None:
            raise DrainingError("the server is about to end")
        return self._verbs

    def admitting_verbs(self, request: VerbRequest) -> Verbs:
        """The verbs, for a call that begins something.

        Raises:
            EpisodeLostError, BootingError: See `verbs`.
            DrainingError: The server is about to end.
        """
        return self._admit(self.verbs(request))

    def binding_verbs(self, request: VerbRequest) -> Verbs:
        """The verbs, for the operator, who may know this incarnation by a later start.

        Raises:
            EpisodeLostError, BootingError, DrainingError: See `admitting_verbs`.
        """
        if request.incarnation is not None and not may_mean(request.incarnation, self.name):
            raise another_incarnation(request.incarnation)
        return self._admit(self._present_verbs())

    def _admit(self, verbs: Verbs) -> Verbs:
        if self.phase is Phase.DRAINING:
            raise DrainingError("the server is about to end")
        return verbs

    @property
    def unready(self) -> str | None:
        """Why nothing can be played here: `booting`, `draining`, `finished`; None if it can."""
        if self.phase is not Phase.SERVING:
            return self.phase.value
        bound = self._binding.task
        return "finished" if bound is not None and bound.finished else None

    @property
    def status(self) -> Status:
        """The data of /status."""
        loaded = self._loaded
        return Status(
            incarnation=self.name,
            environment=loaded.catalogue.environment if loaded else self._settings.environment,
            phase=self.phase.value,
            slots=self._slots,
            idle_seconds=round(self._activity.idle_seconds, 3),
            task=self._binding.task.status if self._binding.task is not None else None,
            confinement=loaded.confinement if loaded else None,
            templates=self._templates,
            version=__version__,
        )

    @property
    def _slots(self) -> Slots:
        return Slots(
            total=self._settings.slots if self._binding.task is None else 1,
            used=self._loaded.episodes.used if self._loaded else 0,
        )

    @property
    def _templates(self) -> TemplatesStatus:
        if self._loaded is None:
            return TemplatesStatus(count=0, memory_bytes=0)
        templates = self._loaded.workers.templates
        return TemplatesStatus(count=templates.count, memory_bytes=templates.memory_bytes)

    async def update_metrics(self) -> None:
        """Set what is not counted but read, before the metrics are told."""
        slots, templates = self._slots, self._templates
        self.metrics.set_episodes(
            self._loaded.episodes.by_state if self._loaded else {},
            slots=slots.total,
            used=slots.used,
        )
        self.metrics.set_memory(
            templates=templates.count,
            templates_bytes=templates.memory_bytes,
            processes_bytes=await self._memory_use.latest(),
        )

    async def is_healthy(self) -> bool:
        """Whether the zygote can fork."""
        if self._zygote is None or self._loaded is None:
            return False
        return await self._zygote.ping(_PING_SECONDS)

    def ask_to_drain(self) -> None:
        """Begin nothing more, and let `run` come to its end."""
        self.phase = Phase.DRAINING
        self._drain_asked.set()

    async def run(self) -> int:
        """Live until asked to drain or until the zygote is gone; leave no process behind.

        Returns:
            The exit status.
        """
        life = asyncio.create_task(self._live())
        drain_asked = asyncio.create_task(self._drain_asked.wait())
        try:
            await asyncio.wait({life, drain_asked}, return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                return life.result()
            await self._finish_calls()
            return termination.EXIT_DRAINED
        finally:
            self.phase = Phase.DRAINING
            for task in (life, drain_asked):
                task.cancel()
            await self._end()

    async def _live(self) -> int:
        try:
            loaded = await self._boot()
        except StartError as error:
            termination.report(error.reason, str(error))
            return error.exit_status
        guard = MemoryGuard(
            loaded.episodes,
            loaded.workers,
            self._control_group,
            on_out_of_memory=self.metrics.count_out_of_memory,
        )
        async with asyncio.TaskGroup() as group:
            watches = [
                group.create_task(loaded.episodes.expire_idle(lambda: self._binding.episode_id)),
                group.create_task(guard.watch()),
            ]
            if self._zygote is not None:
                await self._zygote.gone.wait()
            for watch in watches:
                watch.cancel()
        termination.report("ZygoteDied", "the zygote ended; all episodes are lost")
        return termination.EXIT_SOFTWARE

    async def _boot(self) -> Loaded:
        settings = self._settings
        log.info("booting", extra=about(incarnation=self.name, environment=settings.environment))
        try:
            self._zygote = Zygote.start(
                settings.environment_python,
                settings.environment,
                ChildReaper(),
                jail=settings.jailed,
                memory_bytes=settings.episode_memory_mb << 20,
            )
        except BootError as error:
            raise start_error(error) from error
        loaded = await load(
            self._zygote,
            settings,
            self._directory,
            self._binding.task,
            on_step=self.metrics.count_step,
        )
        self._loaded = loaded
        self._verbs = Verbs(
            incarnation=self.name,
            catalogue=loaded.catalogue,
            episodes=loaded.episodes,
            workers=loaded.workers,
            activity=self._activity,
            metrics=self.metrics,
            binding=self._binding,
        )
        self._activity.reset()
        if self.phase is Phase.BOOTING:
            self.phase = Phase.SERVING
        log.info("serving", extra=about(incarnation=self.name))
        return loaded

    async def _finish_calls(self) -> None:
        """Let calls in flight end, for as long as the settings allow."""
        log.info("draining", extra=about(calls=self._activity.in_flight))
        try:
            async with asyncio.timeout(self._settings.drain_seconds):
                await self._activity.wait_until_idle()
        except TimeoutError:
            log.warning("calls cut off", extra=about(calls=self._activity.in_flight))

    async def _end(self) -> None:
        if self._loaded is not None:
            await self._loaded.episodes.lose_all("the server ended")
        if self._zygote is not None:
            await self._zygote.stop()
        # What episodes left behind is this process's, as the next subreaper, if the zygote died.
        if not await asyncio.to_thread(process.kill_descendants, _LAST_PROCESSES_SECONDS):
            log.warning("processes are left")
