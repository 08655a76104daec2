"""One case: a namespace of its own, operators behind proxies, users, and the record of it all."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from benchmarks.control_plane import Api
from benchmarks.leader_policy import install_leader_policy
from tests.faults.support.cluster import GROUP, Cluster, until
from tests.faults.support.history import History, Wrongs
from tests.faults.support.node import Node
from tests.faults.support.operators import Command, Operator, Zygote, write_settings
from tests.faults.support.report import Report
from tests.faults.support.seen import INSTANCES, PODS, POOLS, SECRETS, Seen
from tests.faults.support.workload import Workload
from tests.support.api_proxy import ApiProxy, Fault

# Where the operators' own Secrets are, as those of a cluster are not where its instances are.
OPERATORS = "operators"
# Longer than the operator waits before it writes a token again, or twice the status of a pool.
_QUIET_SECONDS = 2.5


@dataclass(frozen=True)
class Form:
    """How thorough the cases are: the long form is for `make test-faults`.

    Attributes:
        kills: how often the operator is killed at random times.
    """

    is_long: bool
    kills: int

    def rounds(self, *, short: int, long: int) -> int:
        return long if self.is_long else short


@dataclass(frozen=True)
class Rig:
    """What all cases share."""

    cluster: Cluster
    node: Node
    zygote: Zygote
    report: Report
    folder: Path
    form: Form

    @asynccontextmanager
    async def trial(
        self,
        case: str,
        *,
        operators: int = 1,
        options: tuple[str, ...] = (),
        most: int = 20,
        launcher: Zygote | Command | None = None,
        lease_seconds: int | None = None,
    ) -> AsyncIterator[Trial]:
        """A case that has begun: its operators run. Ends it at once; see ``Trial.finish``.

        With ``lease_seconds`` one of the operators leads, and only it may make and claim pods.
        """
        name = case.replace(" ", "-").lower()
        await self.cluster.call("POST", "api/v1/namespaces", {"metadata": {"name": name}})
        options = options or ("--namespace", name)
        if lease_seconds is not None:
            api = Api(self.cluster.plane, self.cluster.http)
            only_here = f"watchNamespaces={{{name}}}"
            lease = await install_leader_policy(api, name, "--set", only_here)
            options += ("--lease", lease, "--lease-seconds", str(lease_seconds))
        async with AsyncExitStack() as stack:
            trial = Trial(self, case, name, most)
            for number in range(operators):
                proxy = ApiProxy(self.cluster.plane.url)
                await stack.enter_async_context(proxy.serving())
                label = f"{name}-{number}"
                catalogue = write_settings(self.folder, label, proxy, self.cluster.plane.token)
                operator = Operator(
                    launcher or self.zygote,
                    proxy,
                    self.folder,
                    label,
                    *options,
                    *("--catalogue", str(catalogue)),
                    *("--signing-key", f"{OPERATORS}/{name}"),
                )
                stack.push_async_callback(operator.stop)
                trial.operators.append(operator)
            await stack.enter_async_context(trial.watching())
            for operator in trial.operators:
                await operator.start()
            await trial.workload.begin()
            yield trial


class Trial:
    """A case under way.

    Attributes:
        faults: how many the test has made happen.
    """

    def __init__(self, rig: Rig, case: str, namespace: str, most: int) -> None:
        self.rig = rig
        self.case = case
        self.namespace = namespace
        self.random = Random(f"{rig.report.seed} {case}")
        self.history = History()
        self.operators: list[Operator] = []
        self.faults = 0
        self.workload = Workload(
            rig.cluster,
            rig.node,
            self.history,
            namespace=namespace,
            random=self.random,
            most=most,
        )

    @property
    def operator(self) -> Operator:
        return self.operators[0]

    @property
    def proxy(self) -> ApiProxy:
        return self.operator.proxy

    @property
    def signing_key(self) -> str:
        """The path of the Secret with the key that this case's tokens are signed with."""
        return f"api/v1/namespaces/{OPERATORS}/secrets/{self.namespace}"

    def meet(self, fault: Fault) -> None:
        """Let a fault happen to all calls of the first operator."""
        self.proxy.faults.append(fault)
        self.rig.node.faults[self.namespace].append(fault)

    def forget(self, fault: Fault) -> None:
        """Let it happen no more."""
        self.proxy.faults.remove(fault)
        self.rig.node.faults[self.namespace].remove(fault)

    @asynccontextmanager
    async def users(self, pause: float = 0.12) -> AsyncIterator[None]:
        """Have the users do things at random in the meantime."""
        acting = asyncio.create_task(self.workload.run(math.inf, pause))
        try:
            yield
        finally:
            acting.cancel()
            await asyncio.wait([acting])
        if not acting.cancelled():
            acting.result()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        custom = f"{GROUP}/namespaces/{self.namespace}"
        paths = {
            PODS: f"api/v1/namespaces/{self.namespace}/pods",
            SECRETS: f"api/v1/namespaces/{self.namespace}/secrets",
            INSTANCES: f"{custom}/{INSTANCES}",
            POOLS: f"{custom}/{POOLS}",
        }
        tasks = [asyncio.create_task(self._record(kind, path)) for kind, path in paths.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def finish(self) -> None:
        """See that everything converges, that nothing happens then, and that all goes at the end.

        Raises:
            AssertionError: it does not, or what must never be was.
        """
        for operator in self.operators:
            operator.proxy.faults.clear()
        self.rig.node.faults[self.namespace].clear()
        await self.workload.settle()
        await self._see_that_nothing_is_written()
        self._see_that_nothing_is_told_again()
        await self.conclude()

    async def conclude(self) -> None:
        """Delete everything and read the record.

        Raises:
            AssertionError: something is left, or what must never be was.
        """
        try:
            await self.workload.end()
            await until("the watches have told that all is gone", self._what_is_still_seen)
            # What is made now nobody has asked for.
            await asyncio.sleep(_QUIET_SECONDS)
        except AssertionError:
            self._read_record()
            raise
        wrongs = self._read_record()
        assert not list(wrongs), "\n".join(wrongs)

    async def _what_is_still_seen(self) -> str | None:
        return "; ".join(self.history.left()) or None

    def _read_record(self) -> Wrongs:
        """Return what is wrong, and have it in the table."""
        servers = [
            (uid, server)
            for uid in {seen.uid for seen in self.history.of(PODS)}
            if (server := self.rig.node.server(uid)) is not None
        ]
        for uid, server in servers:
            self.history.used_at[uid] = server.told_used_at or server.used_at
        wrongs = self.history.wrongs()
        self.history.write(self.rig.folder / f"{self.namespace}.record.log")
        wrongs.double_claims += [
            f"{server.refused} asked the server of {server.episode}"
            for _, server in servers
            if server.refused
        ]
        self.rig.report.add(
            self.case,
            self.history,
            wrongs,
            kills=sum(operator.kills for operator in self.operators),
            faults=self.faults,
            writes=sum(len(operator.proxy.writes) for operator in self.operators),
        )
        return wrongs

    async def _see_that_nothing_is_written(self) -> None:
        """Soon: what has just settled may have been the next to last thing to be done."""
        for is_last in (False, True):
            before = [len(operator.proxy.calls) for operator in self.operators]
            await asyncio.sleep(_QUIET_SECONDS)
            written = [
                f"{call.method} {call.path} {call.body}"
                for operator, count in zip(self.operators, before, strict=True)
                for call in operator.proxy.calls[count:]
                if call.is_write or call.is_event
            ]
            if not written:
                return
            assert not is_last, f"the operator does not come to rest: {written}"

    def _see_that_nothing_is_told_again(self) -> None:
        """A life of an operator asks for an Event until it is told that there is one."""
        for operator in self.operators:
            told = Counter(
                call.json()["metadata"]["name"]
                for call in operator.proxy.calls
                if call.is_event and call.is_told and call.status in {201, 409}
            )
            again = [name for name, times in told.items() if times > operator.lives]
            assert not again, f"told more than once in one of {operator.lives} lives: {again}"

    async def _record(self, kind: str, path: str) -> None:
        async for event in self.rig.cluster.follow(path):
            self.history.seen.append(Seen(datetime.now(UTC), kind, event.one, event.is_gone))
