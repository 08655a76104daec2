"""The sandbox for programs without an event loop: the asynchronous one, run in a thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Self, Unpack

from training_sandbox._loop_thread import LoopThread
from training_sandbox._sandbox import READY_SECONDS, REQUEST_SECONDS, AsyncTrainingSandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from training_sandbox._episode import AsyncEpisode, AsyncEpisodeGroup
    from training_sandbox._types import (
        Action,
        Created,
        Message,
        Overrides,
        ServerStatus,
        StepResult,
        TrajectoryRecord,
    )


class Episode:
    """One run of one task. Leaving the ``with`` block releases it."""

    def __init__(self, episode: AsyncEpisode, loop: LoopThread) -> None:
        self._episode = episode
        self._loop = loop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.run(partial(self._episode.__aexit__, *exc_info))

    @property
    def instance_id(self) -> str:
        """The episode's name in the verbs."""
        return self._episode.instance_id

    @property
    def task_id(self) -> str:
        """The task that it runs."""
        return self._episode.task_id

    @property
    def messages(self) -> list[Message]:
        """What was said so far; see ``AsyncEpisode``."""
        return self._episode.messages

    @property
    def reward(self) -> float | None:
        """The reward of the last evaluation; None before."""
        return self._episode.reward

    @property
    def is_terminated(self) -> bool:
        """Whether the task has ended: it can be evaluated, not stepped."""
        return self._episode.is_terminated

    def step(self, action: Action, *, params: Mapping[str, object] | None = None) -> StepResult:
        """Execute an action; see ``TrainingSandbox.step``."""
        return self._loop.run(partial(self._episode.step, action, params=params))

    def evaluate(
        self, *, sparse: bool | None = None, params: Mapping[str, object] | None = None
    ) -> float:
        """Return the reward as of the last step; see ``TrainingSandbox.evaluate``."""
        return self._loop.run(partial(self._episode.evaluate, sparse=sparse, params=params))

    def fork(
        self, n: int, *, reseed: bool = False, instance_ids: Sequence[str] | None = None
    ) -> EpisodeGroup:
        """Let new episodes go on from where this one stands; see ``AsyncEpisode.fork``."""

        async def forked() -> AsyncEpisodeGroup:
            return await self._episode.fork(n, reseed=reseed, instance_ids=instance_ids)

        return EpisodeGroup(self._loop.run(forked), self._loop)

    def trajectory(self) -> list[TrajectoryRecord]:
        """Return what happened in the episode; see ``AsyncEpisode.trajectory``."""
        return self._loop.run(self._episode.trajectory)

    def trajectory_jsonl(self) -> str:
        """Return the trajectory as JSON Lines, as the server wrote it."""
        return self._loop.run(self._episode.trajectory_jsonl)

    def release(self) -> bool:
        """End the episode and free its slot; False when the server does not know it."""
        return self._loop.run(self._episode.release)


class EpisodeGroup(list[Episode]):
    """Episodes that were opened together. Leaving the ``with`` block releases them."""

    def __init__(self, group: AsyncEpisodeGroup, loop: LoopThread) -> None:
        super().__init__(Episode(episode, loop) for episode in group)
        self._group = group
        self._loop = loop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.run(partial(self._group.__aexit__, *exc_info))


class TrainingSandbox:
    r"""A sandbox of an RL training environment, to play many episodes in at once.

    Enter it with ``with``, or just call a verb: the first one starts it, and ``close`` or the
    end of the program ends it. By default it is a TrainingInstance of its own in the cluster
    that kubectl would use, deleted at the end, also after Ctrl-C, SIGTERM or an exception. Calls
    may be made from any number of threads at once, inside a running event loop too.

        with TrainingSandbox("appworld") as box:
            task = box.get_env_profile(split="train")[0]
            with box.episode(task) as episode:
                episode.step("```python\nprint(apis.api_docs.show_app_descriptions())\n```")
                reward = episode.evaluate()

    Arguments and errors are those of ``AsyncTrainingSandbox``.
    """

    def __init__(
        self,
        env_type: str = "appworld",
        *,
        namespace: str | None = None,
        name: str | None = None,
        task_id: str | None = None,
        params: Mapping[str, object] | None = None,
        kubeconfig: str | None = None,
        context: str | None = None,
        endpoint: str | None = None,
        token: str | None = None,
        local: bool = False,
        ready_timeout: float = READY_SECONDS,
        request_timeout: float = REQUEST_SECONDS,
        progress: bool | None = None,
        keep: bool = False,
        **overrides: Unpack[Overrides],
    ) -> None:
        self._use(
            AsyncTrainingSandbox(
                env_type,
                namespace=namespace,
                name=name,
                task_id=task_id,
                params=params,
                kubeconfig=kubeconfig,
                context=context,
                endpoint=endpoint,
                token=token,
                local=local,
                ready_timeout=ready_timeout,
                request_timeout=request_timeout,
                progress=progress,
                keep=keep,
                **overrides,
            )
        )

    @classmethod
    def attach(
        cls,
        name: str,
        *,
        namespace: str | None = None,
        kubeconfig: str | None = None,
        context: str | None = None,
        ready_timeout: float = READY_SECONDS,
        request_timeout: float = REQUEST_SECONDS,
        progress: bool | None = None,
    ) -> Self:
        """Return the sandbox of a TrainingInstance that exists; closing it does not delete it."""
        sandbox = cls.__new__(cls)
        sandbox._use(  # noqa: SLF001 (our own)
            AsyncTrainingSandbox.attach(
                name,
                namespace=namespace,
                kubeconfig=kubeconfig,
                context=context,
                ready_timeout=ready_timeout,
                request_timeout=request_timeout,
                progress=progress,
            )
        )
        return sandbox

    def _use(self, sandbox: AsyncTrainingSandbox) -> None:
        self._sandbox = sandbox
        self._loop = LoopThread()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def name(self) -> str | None:
        """The TrainingInstance's name once started; None without a cluster."""
        return self._sandbox.name

    def start(self) -> None:
        """Make the sandbox ready, if it is not; see ``AsyncTrainingSandbox.start``."""
        self._loop.run(self._sandbox.start)

    def close(self) -> None:
        """End the sandbox and what it created. Idempotent; no verb can be called afterwards."""
        if not self._loop.is_inherited:
            self._loop.run(self._sandbox.close)
            self._loop.stop()

    def get_env_profile(
        self,
        env_type: str | None = None,
        split: str = "train",
        params: Mapping[str, object] | None = None,
    ) -> list[str]:
        """Return the ids of a split's tasks; see ``AsyncTrainingSandbox.get_env_profile``."""
        return self._loop.run(partial(self._sandbox.get_env_profile, env_type, split, params))

    def get_task_ids(
        self,
        env_type: str | None = None,
        split: str = "train",
        params: Mapping[str, object] | None = None,
    ) -> list[str]:
        """Return the ids of a split's tasks: another name of ``get_env_profile``."""
        return self.get_env_profile(env_type, split, params)

    def get_tools_info(
        self, env_type: str | None = None, params: Mapping[str, object] | None = None
    ) -> str:
        """Return the description of the environment's tools, as a prompt may quote it."""
        return self._loop.run(partial(self._sandbox.get_tools_info, env_type, params))

    def create_instance(
        self,
        env_type: str | None = None,
        task_id: str | None = None,
        instance_id: str | None = None,
        params: Mapping[str, object] | None = None,
    ) -> Created:
        """Open an episode; see ``AsyncTrainingSandbox.create_instance``."""
        return self._loop.run(
            partial(self._sandbox.create_instance, env_type, task_id, instance_id, params)
        )

    def step(
        self, instance_id: str, action: Action, params: Mapping[str, object] | None = None
    ) -> StepResult:
        """Execute one action of an episode, exactly once; see ``AsyncTrainingSandbox.step``."""
        return self._loop.run(partial(self._sandbox.step, instance_id, action, params))

    def evaluate(
        self,
        instance_id: str,
        messages: Mapping[str, object] | None = None,
        params: Mapping[str, object] | None = None,
        *,
        sparse: bool | None = None,
    ) -> float:
        """Return an episode's reward; see ``AsyncTrainingSandbox.evaluate``."""
        return self._loop.run(
            partial(self._sandbox.evaluate, instance_id, messages, params, sparse=sparse)
        )

    def release_instance(self, instance_id: str) -> bool:
        """End an episode and free its slot; False when the server never had it."""
        return self._loop.run(partial(self._sandbox.release_instance, instance_id))

    def prepare(
        self,
        task_ids: Sequence[str],
        env_type: str | None = None,
        params: Mapping[str, object] | None = None,
    ) -> None:
        """Announce tasks that will be played soon; see ``AsyncTrainingSandbox.prepare``."""
        self._loop.run(partial(self._sandbox.prepare, task_ids, env_type, params))

    def status(self) -> ServerStatus:
        """Return the server's incarnation, phase, slots, and its task if it has one."""
        return self._loop.run(self._sandbox.status)

    def episode(
        self,
        task_id: str | None = None,
        *,
        instance_id: str | None = None,
        params: Mapping[str, object] | None = None,
    ) -> Episode:
        """Open an episode and return it as an object; see ``AsyncTrainingSandbox.episode``."""

        async def opened() -> AsyncEpisode:
            return await self._sandbox.episode(task_id, instance_id=instance_id, params=params)

        return Episode(self._loop.run(opened), self._loop)

    def create_group(
        self,
        task_id: str,
        n: int,
        *,
        instance_ids: Sequence[str] | None = None,
        params: Mapping[str, object] | None = None,
    ) -> EpisodeGroup:
        """Open episodes of one task, all or none; see ``AsyncTrainingSandbox.create_group``."""

        async def opened() -> AsyncEpisodeGroup:
            return await self._sandbox.create_group(
                task_id, n, instance_ids=instance_ids, params=params
            )

        return EpisodeGroup(self._loop.run(opened), self._loop)
