"""The jails of an environment's processes, prepared once in the zygote."""

import dataclasses
import signal
import socket
from collections.abc import Mapping

from training_sandbox_worker.environment import Environment
from training_sandbox_worker.fork_gate import Registrar
from training_sandbox_worker.jail import Confinement, Jail

_SWITCHED_OFF = Confinement(
    landlock_abi=0, seccomp=False, fork_gate=False, missing=("the jail is switched off",)
)


class Jails:
    """The jails of episodes and evaluations.

    An episode may read what its environment says, an evaluation the ground truth as well; neither
    can write a file, reach a network or start a program.

    Args:
        environment: The environment, loaded.
        registrar: Where an episode's process is announced to the fork gate.
        memory_bytes: What an episode's or evaluation's process may map beyond what it was forked
            with.
        confinement: What the kernel and the container offer; None leaves out all of it.
    """

    def __init__(
        self,
        environment: Environment,
        registrar: Registrar,
        *,
        memory_bytes: int,
        confinement: Confinement | None,
    ) -> None:
        self._registrar = registrar
        self._confinement = confinement or _SWITCHED_OFF
        self._episodes: Jail | None = None
        self._evaluations: Jail | None = None
        if confinement is not None:
            readable = environment.readable()
            self._episodes = Jail(
                confinement, readable=readable, memory_bytes=memory_bytes, gated=True
            )
            self._evaluations = Jail(
                confinement,
                readable=[*readable, *environment.truth()],
                memory_bytes=memory_bytes,
                gated=False,
            )

    @property
    def report(self) -> Mapping[str, object]:
        """What holds in this container, and what is missing."""
        return dataclasses.asdict(self._confinement)

    @property
    def filtered(self) -> bool:
        """Whether a jailed process can start no other by itself."""
        return self._confinement.seccomp

    def enter_for_episode(self, channel: socket.socket) -> None:
        """Confine this process, which will run agent code, for good.

        Args:
            channel: The only descriptor that it keeps.
        """
        if self._episodes is None:
            return
        # A branch is a child of the episode that it comes from, which does not wait for it.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        keep = [channel.fileno(), self._registrar.fileno()]
        self._episodes.enter(keep, hand_over=self._registrar.announce)
        self._registrar.close()

    def enter_for_evaluation(self, channel: socket.socket) -> None:
        """Confine this process, which will look at what agent code left, for good.

        Args:
            channel: The only descriptor that it keeps.
        """
        if self._evaluations is not None:
            self._evaluations.enter(keep=[channel.fileno()])
