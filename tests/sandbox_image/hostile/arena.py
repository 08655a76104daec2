"""A server of AppWorld in which agent code attacks, and others play."""

import contextlib
import os
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.sandbox_image.conftest import wait_until
from tests.sandbox_image.hostile.agent_code import plain
from tests.sandbox_image.hostile.footprint import has_ended
from tests.sandbox_image.hostile.listeners import Listeners
from tests.sandbox_image.hostile.planted_world import PlantedWorld

SECRET_MARK = "SECRET-"


class Arena:
    """What an attack has around it.

    Attributes:
        template_pid: The process that the episodes are forked from.
        is_spent: Whether an attack has ended the server.

    Args:
        server: The server, ready.
        world: The world that it serves.
        listeners: Whom it should not reach.
        directory: Holds files that it should not touch; nothing in it is readable for it.
    """

    def __init__(self, server, world: PlantedWorld, listeners: Listeners, directory: Path) -> None:
        self.server = server
        self.world = world
        self.listeners = listeners
        self.scratch = directory / "scratch"
        self.target = directory / "target"
        self.scratch.mkdir()
        self.server_pid: int = server.process.pid
        self.zygote_pid: int = server.zygote().pid
        self.template_pid = 0
        self.is_spent = False
        self.restore()

    def prepare(self) -> None:
        """Wait until there is a template of the task, and nothing else below the zygote."""
        self.server.data("prepare", task_ids=[self.world.task_id])
        wait_until(lambda: self.server.status()["templates"]["count"] == 1)
        zygote = psutil.Process(self.zygote_pid)
        wait_until(lambda: len(zygote.children()) == 1)
        (template,) = zygote.children()
        self.template_pid = template.pid

    @staticmethod
    def wait_until(condition: Callable[[], object]) -> None:
        wait_until(condition)

    def pids(self) -> set[int]:
        """The server and all that is below it."""
        return {self.server_pid, *(process.pid for process in self.server.descendants())}

    def let_go_on(self) -> None:
        """Continue what an attack stopped."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def restore(self) -> None:
        """Undo what an attack did to what is outside."""
        self.let_go_on()
        for left in self.scratch.iterdir():
            left.unlink()
        with contextlib.suppress(OSError):
            self.target.unlink()
        self.target.write_text("as it was")
        self.listeners.received = b""
        self.world.restore_truth()


class Player:
    """An episode of the arena's task.

    Args:
        arena: Where.
        actions: The code of each of its steps.
    """

    def __init__(self, arena: Arena, actions: list[str] | None = None) -> None:
        before = arena.pids()
        self._server = arena.server
        self.id: str = arena.server.create(arena.world.task_id, env_type="appworld")
        (self.pid,) = arena.pids() - before
        self._actions = actions or []
        self._next = 0

    def act(self, action: str):
        """The answer to one action, whatever it is."""
        return self._server.act(self.id, action)

    def say(self, code: str) -> str:
        """What plain code prints."""
        return self._server.observe(self.id, plain(code))

    def advance(self):
        """Play the next step of the solution; returns its data."""
        response = self.act(plain(self._actions[self._next]))
        assert response.status_code == 200, response.text
        self._next += 1
        return response.json()["data"]

    def finish(self) -> float:
        """Play the solution to its end; returns the reward, which two roads must agree on."""
        data = self.advance()
        while not data["is_terminated"]:
            data = self.advance()
        assert self._server.data("evaluate", instance_id=self.id) == data["reward"]
        return data["reward"]

    def release(self) -> None:
        self._server.post("release", instance_id=self.id)

    @property
    def has_ended(self) -> bool:
        return has_ended(self.pid)


class Secretive(Player):
    """A player whose process has a secret in its memory."""

    def __init__(self, arena: Arena, actions: list[str]) -> None:
        super().__init__(arena, actions)
        self.secret = f"{SECRET_MARK}{secrets.token_hex(16)}"
        said = self.say(f"secret = '{self.secret}'; print('at', id(secret))")
        self.address = int(said.split("at ")[1].split()[0])

    def keeps_its_secret(self) -> bool:
        """Whether its memory is as it was."""
        return self.secret in self.say("print(secret)")
