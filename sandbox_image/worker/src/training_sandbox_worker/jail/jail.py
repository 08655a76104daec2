"""A jail: prepared once where episodes are forked from, entered by each of them."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from training_sandbox_worker.jail import (
    descriptors,
    interpreter_paths,
    landlock,
    limits,
    privileges,
    seccomp,
    system_calls,
)
from training_sandbox_worker.jail.confinement import Confinement

_STANDARD_STREAMS = (0, 1, 2)


class Jail:
    """Whatever can be made before the fork, so that entering takes a process but a moment.

    Args:
        confinement: What `probe` found; what it lacks is left out.
        readable: Files and folders that may be read beside what Python itself needs. Those that
            do not exist now are left out.
        memory_bytes: How much the process may map after it entered.
        gated: New processes and threads wait for whoever holds the listener to allow them.
            Otherwise, and where there are no notifications, it can start threads but no process.

    Raises:
        OSError: The kernel refused what `probe` was allowed.
    """

    def __init__(
        self,
        confinement: Confinement,
        *,
        readable: Sequence[Path],
        memory_bytes: int,
        gated: bool,
    ) -> None:
        self._memory_bytes = memory_bytes
        self._abi = confinement.landlock_abi
        self._gated = gated and confinement.fork_gate
        self._ruleset = self._create_ruleset(readable) if self._abi else None
        self._restrict = (
            None if self._ruleset is None else landlock.restriction(self._abi, self._ruleset)
        )
        self._filter = self._compile() if confinement.seccomp else None
        self._seal = _compile_seal() if self._gated else None

    def enter(self, keep: Sequence[int], hand_over: Callable[[int], None] | None = None) -> None:
        """Confine this process and all that it will start, for good.

        It must have one thread. What it still reads from /proc is read before.

        Args:
            keep: Descriptors that stay as they are, beside 0, 1 and 2; all others become
                /dev/null.
            hand_over: Is given the listener that `notifications` are received from, if the jail
                is gated and the kernel can do it: sends it on and closes it. No descriptor can be
                sent afterwards.

        Raises:
            OSError: The kernel refused a protection: no agent code may run here.
        """
        highest = descriptors.replace_by_null({*_STANDARD_STREAMS, *keep, self._ruleset})
        limits.be_killed_first()
        limits.limit(memory_bytes=self._memory_bytes, highest_descriptor=highest)
        privileges.no_new_privileges()
        privileges.drop_capabilities()
        if self._ruleset is not None and self._restrict is not None:
            self._restrict()
            os.close(self._ruleset)
        if self._filter is not None:
            listener = self._filter.install()
            if listener is not None:
                (hand_over or os.close)(listener)
        if self._seal is not None:
            self._seal.install()

    def _create_ruleset(self, readable: Sequence[Path]) -> int:
        return landlock.create_ruleset(
            self._abi,
            readable=(*interpreter_paths.readable(), *readable),
            writable=interpreter_paths.writable(),
        )

    def _compile(self) -> seccomp.Filter:
        rules = system_calls.rules(gated=self._gated)
        program = seccomp.compile_program(rules, otherwise=system_calls.OTHERWISE)
        return seccomp.Filter(program, listen=self._gated)


def _compile_seal() -> seccomp.Filter:
    program = seccomp.compile_program(system_calls.sealing_rules(), otherwise=seccomp.ALLOW)
    return seccomp.Filter(program, listen=False)
