"""One attack: the code, and how it is seen from outside whether it got out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sandbox_image.hostile.attack import Attack

Oracle = Callable[["Attack"], bool]


@dataclass(frozen=True)
class Case:
    """Hostile agent code.

    Attributes:
        name: What it tries.
        code: The steps of the agent, see `agent_code`.
        got_out: Whether it did it, as is seen from outside.
        needs: What this machine must have for it to work without the jail; empty: nothing.
        kills_server: Without the jail, the server does not survive it.
        needs_evaluations: Another episode is evaluated again and again meanwhile.
        prepare: Code of the same episode that is executed before, unhindered.
    """

    name: str
    code: str
    got_out: Oracle
    needs: tuple[str, ...] = ()
    kills_server: bool = False
    needs_evaluations: bool = False
    prepare: str = ""
