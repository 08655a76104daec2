"""Which protections a kernel and a container offer to a jail."""

from dataclasses import dataclass

_ABI_OF_TRUNCATION = 3
_ABI_OF_SCOPES = 6


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a jail can be made of here.

    Attributes:
        landlock_abi: The version of Landlock's interface; 0: none.
        seccomp: Whether system calls can be filtered.
        fork_gate: Whether the filter can ask another process about each fork.
        missing: One sentence for each protection that is lacking; empty: the jail is whole.
    """

    landlock_abi: int
    seccomp: bool
    fork_gate: bool
    missing: tuple[str, ...] = ()


def lacking_landlock(abi: int, reason: str, *, seccomp: bool) -> str | None:
    """The sentence about what a version of Landlock leaves open, or None.

    Args:
        abi: The version; 0: none.
        reason: Why there is none.
        seccomp: Whether a filter denies the calls that older versions cannot.
    """
    if abi == 0:
        return f"no Landlock ({reason}): agent code can read and write what the server's user can"
    if abi < _ABI_OF_TRUNCATION:
        return (
            f"Landlock ABI {abi} < 3: agent code can empty files that the server's user can write"
        )
    if abi < _ABI_OF_SCOPES and not seccomp:
        return f"Landlock ABI {abi} < 6: agent code can signal other processes"
    return None


def lacking_seccomp(reason: str) -> str:
    """The sentence about a filter that cannot be."""
    return (
        f"no seccomp filter ({reason}): agent code can start processes, open sockets "
        "and change limits"
    )


def lacking_fork_gate(reason: str) -> str:
    """The sentence about a filter without notifications."""
    return (
        f"no seccomp notifications ({reason}): running episodes cannot be forked, "
        "and their threads are not counted"
    )
