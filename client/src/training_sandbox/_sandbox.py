"""The sandbox, asynchronous: where it is, how long it lives, and its verbs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Self, Unpack

from training_sandbox._episode import (
    AsyncEpisode,
    AsyncEpisodeGroup,
    EpisodeOpening,
    GroupOpening,
)
from training_sandbox._exceptions import InvalidRequest
from training_sandbox._instance import AttachedInstance, ClusterAccess
from training_sandbox._manifest import check_overrides
from training_sandbox._progress import Wait
from training_sandbox._providers import choose_provider
from training_sandbox._session import Session
from training_sandbox._signals import end_on_sigterm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from training_sandbox._types import Action, Created, Overrides, ServerStatus, StepResult
    from training_sandbox._verbs import Verbs

READY_SECONDS = 600.0
REQUEST_SECONDS = 180.0


class AsyncTrainingSandbox:
    """A sandbox of an RL training environment, to play many episodes in at once.

    Enter it with ``async with``, or just call a verb: the first one starts it, and ``close``
    ends it. By default it is a TrainingInstance of its own in the cluster that kubectl would
    use, deleted at the end, also after Ctrl-C, SIGTERM or an exception, and when the program ends
    without closing it. (For that, SIGTERM unwinds the program as Ctrl-C does, unless it has a
    handler already.) Calls may be made from any number of tasks at once.

    Args:
        env_type: the environment, as in the operator's catalogue.
        namespace: of the TrainingInstance; the context's by default.
        name: of the TrainingInstance; ``<env_type>-<random>`` by default.
        task_id: open this one task at the start, as the episode that ``episode()`` returns. The
            instance is finished when that episode ends.
        params: the arguments of that task.
        kubeconfig: path of a kubeconfig; by default as kubectl finds it.
        context: of the kubeconfig; the current one by default.
        endpoint: ``http://host:port`` of a running server: nothing is created.
        token: of the server at the endpoint; TRAINING_SANDBOX_TOKEN by default.
        local: start a server as a process on this machine, without a cluster.
        ready_timeout: seconds until the sandbox must be ready, pulling images included.
        request_timeout: seconds for each call of a verb, retries and waiting for a slot included.
        progress: show on standard error what is being waited for; None on a terminal only.
        keep: leave the TrainingInstance behind at the end, for ``attach`` or its idle timeout; one
            that did not become ready is deleted all the same.
        **overrides: of the instance's pod and life times, see ``Overrides``.

    Raises:
        InvalidRequest: options that exclude each other.
        TypeError: an option that does not exist.
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
        provider = choose_provider(
            env_type,
            name=name,
            task_id=task_id,
            params=params,
            endpoint=endpoint,
            token=token,
            local=local,
            keep=keep,
            access=ClusterAccess(kubeconfig, context, namespace),
            wait=Wait(ready_timeout, progress),
            overrides=check_overrides(overrides),
        )
        self._use(Session(provider, env_type, request_timeout), task_id, params)
        if endpoint is None:
            end_on_sigterm()

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
        """Return the sandbox of a TrainingInstance that exists; closing it does not delete it.

        The arguments are those of the class. Once started, it raises InstanceNotFound when there
        is no such instance.
        """
        sandbox = cls.__new__(cls)
        access = ClusterAccess(kubeconfig, context, namespace)
        provider = AttachedInstance(access, name, Wait(ready_timeout, progress))
        session = Session(provider, "", request_timeout)
        sandbox._use(session, None, None)  # noqa: SLF001 (our own)
        return sandbox

    def _use(
        self, session: Session, task_id: str | None, params: Mapping[str, object] | None
    ) -> None:
        self._session = session
        self._task_id = task_id
        self._params = params

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    def name(self) -> str | None:
        """The TrainingInstance's name once started; None without a cluster."""
        return self._session.name

    async def start(self) -> None:
        """Make the sandbox ready, if it is not; the first verb does it too.

        Raises:
            ClusterUnavailable: there is no cluster, or no operator's API in it.
            InstanceRejected, InstanceExists: the API does not take the instance.
            InstanceNotReady: it failed, or was not ready in time.
            LocalServerFailed: ``local``: the server cannot be started.
            ConnectionFailed: nothing answers at the endpoint.
            UnknownEnvironment, UnknownTask: what the sandbox was asked for does not exist.
            Unauthorized: the instance's token may not be read.
        """
        await self._session.verbs()

    async def close(self) -> None:
        """End the sandbox and what it created. Idempotent; no verb can be called afterwards."""
        await self._session.close()

    async def get_env_profile(
        self,
        env_type: str | None = None,
        split: str = "train",
        params: Mapping[str, object] | None = None,
    ) -> list[str]:
        """Return the ids of a split's tasks.

        Args:
            env_type: the sandbox's own by default.
            split: of the environment's, such as ``train``, ``dev`` or ``test_normal``.
            params: further arguments of the environment.

        Raises:
            UnknownSplit, UnknownEnvironment: there is none of that name.
        """
        return await (await self._session.verbs()).task_ids(env_type, split, params)

    async def get_task_ids(
        self,
        env_type: str | None = None,
        split: str = "train",
        params: Mapping[str, object] | None = None,
    ) -> list[str]:
        """Return the ids of a split's tasks: another name of ``get_env_profile``."""
        return await self.get_env_profile(env_type, split, params)

    async def get_tools_info(
        self, env_type: str | None = None, params: Mapping[str, object] | None = None
    ) -> str:
        """Return the description of the environment's tools, as a prompt may quote it."""
        return await (await self._session.verbs()).tools_info(env_type, params)

    async def create_instance(
        self,
        env_type: str | None = None,
        task_id: str | None = None,
        instance_id: str | None = None,
        params: Mapping[str, object] | None = None,
    ) -> Created:
        """Open an episode. When all slots are in use, wait for one until the deadline.

        Args:
            env_type: the sandbox's own by default.
            task_id: by default the one that the sandbox was opened for, whose episode is there.
            instance_id: the episode's name, 1 to 128 of ``A-Z a-z 0-9 . _ : -``; a new one by
                default. The same id with the same arguments gives the first answer again.
            params: arguments of the task.

        Returns:
            ``{"state": [system message, user message], "info": {"instance_id", "task_id"}}``

        Raises:
            UnknownTask: the environment does not have the task.
            SandboxFull: no slot became free in time.
            EpisodeExists: the id is taken, with other arguments.
        """
        verbs = await self._session.verbs()
        return await self._create(verbs, env_type, task_id, instance_id, params)

    async def step(
        self, instance_id: str, action: Action, params: Mapping[str, object] | None = None
    ) -> StepResult:
        """Execute one action of an episode, exactly once however often it had to be sent.

        Args:
            instance_id: the episode.
            action: the assistant message, code in a ```` ```python ```` block or ``tool_calls``;
                a text is taken as its content.
            params: further arguments of the environment.

        Returns:
            ``{"state": [observation], "reward": float, "is_terminated": bool, "info": {}}``;
            the reward is 0.0 while the task goes on.

        Raises:
            EpisodeLost, EpisodeExpired, EpisodeReleased, InstanceLost: the episode is gone.
            StepDeadlineExceeded: the action took too long, which ended the episode.
            EpisodeTerminated: the task has ended.
            OutOfOrder: another client stepped the episode, or the answer of another action is
                still missing.
            CallTimedOut, ConnectionFailed: no answer; send the same action again to get it.
        """
        return await (await self._session.verbs()).step(instance_id, action, params)

    async def evaluate(
        self,
        instance_id: str,
        messages: Mapping[str, object] | None = None,
        params: Mapping[str, object] | None = None,
        *,
        sparse: bool | None = None,
    ) -> float:
        """Return the reward of an episode as of its last step.

        Args:
            instance_id: the episode.
            messages: a message for the environment's evaluation, where it wants one.
            params: further arguments of the evaluation.
            sparse: True for success or failure (1.0 or 0.0), False for the share of checks
                passed (0.0 to 1.0); the environment's choice by default.

        Raises:
            EvaluationFailed: the environment could not evaluate: there is no reward.
            EpisodeLost, EpisodeExpired, EpisodeReleased, InstanceLost: the episode is gone.
        """
        verbs = await self._session.verbs()
        return await verbs.evaluate(instance_id, messages, params, sparse=sparse)

    async def release_instance(self, instance_id: str) -> bool:
        """End an episode and free its slot; False when the server never had it."""
        return await (await self._session.verbs()).release(instance_id)

    async def prepare(
        self,
        task_ids: Sequence[str],
        env_type: str | None = None,
        params: Mapping[str, object] | None = None,
    ) -> None:
        """Announce tasks that will be played soon: the server opens them in the background.

        Their episodes are created faster then. Nothing has to be prepared.

        Args:
            task_ids: at most 1024 at once.
            env_type: the sandbox's own by default.
            params: those that the tasks will be created with.

        Raises:
            UnknownTask: the environment does not have one of them; none is prepared.
        """
        await (await self._session.verbs()).prepare(task_ids, env_type, params)

    async def status(self) -> ServerStatus:
        """Return the server's incarnation, phase, slots, and its task if it has one."""
        return await (await self._session.verbs()).status()

    def episode(
        self,
        task_id: str | None = None,
        *,
        instance_id: str | None = None,
        params: Mapping[str, object] | None = None,
    ) -> EpisodeOpening:
        """Open an episode as an object: ``async with box.episode(task) as episode`` or ``await``.

        Args:
            task_id: the task; without it the one that the sandbox was opened for.
            instance_id: as for ``create_instance``.
            params: as for ``create_instance``.
        """
        return EpisodeOpening(partial(self._open_episode, task_id, instance_id, params))

    def create_group(
        self,
        task_id: str,
        n: int,
        *,
        instance_ids: Sequence[str] | None = None,
        params: Mapping[str, object] | None = None,
    ) -> GroupOpening:
        """Open episodes of one task, all or none, as objects.

        ``async with box.create_group(task, 8) as episodes`` or ``await``. The task is opened
        once for all of them. While there are not as many free slots, wait until the deadline.

        Args:
            task_id: the task.
            n: how many.
            instance_ids: their ids, as many as ``n``; new ones by default. The same ids with the
                same arguments give the same episodes again.
            params: as for ``create_instance``.

        Raises (once it is awaited):
            UnknownTask: the environment does not have the task.
            SandboxFull: there were not as many free slots in time.
            EpisodeExists: some of the ids are taken, or with other arguments.
        """
        return GroupOpening(partial(self._open_group, task_id, n, instance_ids, params))

    async def _open_episode(
        self, task_id: str | None, episode_id: str | None, params: Mapping[str, object] | None
    ) -> AsyncEpisode:
        verbs = await self._session.verbs()
        return _opened(verbs, await self._create(verbs, None, task_id, episode_id, params))

    async def _open_group(
        self,
        task_id: str,
        n: int,
        episode_ids: Sequence[str] | None,
        params: Mapping[str, object] | None,
    ) -> AsyncEpisodeGroup:
        verbs = await self._session.verbs()
        group = await verbs.create_group(task_id, n, episode_ids, params)
        return AsyncEpisodeGroup(verbs, (_opened(verbs, created) for created in group))

    async def _create(
        self,
        verbs: Verbs,
        env_type: str | None,
        task_id: str | None,
        episode_id: str | None,
        params: Mapping[str, object] | None,
    ) -> Created:
        """Open an episode: of the task that is named, or of the sandbox's own."""
        if task_id is not None:
            return await verbs.create(env_type, task_id, episode_id, params)
        if bound := self._session.bound:
            return await verbs.create(
                env_type,
                bound.task_id,
                bound.episode_id,
                bound.params,
                untouched=bound.untouched,
            )
        if self._task_id is not None:
            return await verbs.create(env_type, self._task_id, episode_id, self._params)
        raise InvalidRequest("task_id: which task to open; get_env_profile() lists them")


def _opened(verbs: Verbs, created: Created) -> AsyncEpisode:
    info = created["info"]
    return AsyncEpisode(verbs, info["instance_id"], info["task_id"], created["state"])
