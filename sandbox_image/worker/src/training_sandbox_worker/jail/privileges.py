"""Privileges that a process gives up for good."""

import struct

from training_sandbox_worker.jail import libc

_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x2008_0522
_CAPABILITIES_OF_NONE = bytes(24)

_prctl = libc.function("prctl")
_capset = libc.function("capset")


def no_new_privileges() -> None:
    """Let no program that is executed gain privileges; Landlock and seccomp ask for it.

    Raises:
        OSError: The kernel refused.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def drop_capabilities() -> None:
    """Give up what root may do beyond what every user may.

    Raises:
        OSError: The kernel refused.
    """
    this_process = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _capset(libc.buffer(this_process), libc.buffer(_CAPABILITIES_OF_NONE))
