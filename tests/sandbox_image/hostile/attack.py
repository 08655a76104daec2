"""An attack that runs: hostile code in one episode, while others are played beside it."""

import re
import secrets
import time
from types import TracebackType
from typing import Self

import httpx

from tests.sandbox_image.hostile import footprint
from tests.sandbox_image.hostile.agent_code import smuggle
from tests.sandbox_image.hostile.arena import Arena, Player, Secretive
from tests.sandbox_image.hostile.case import Case

HONEST_ENDS = {"episode_lost", "step_deadline"}
_LOOKS_EVERY_SECONDS = 0.03


class Attack:
    """One case, in an arena.

    Attributes:
        hostile: The episode of the code.
        sibling: An episode of the same task, which plays the wrong solution and has a secret.
        other: One that plays the right solution.
        said: What the hostile episode answered: all that an agent could learn.
        nonce: A number that nobody else uses, to tell what comes from this attack.
    """

    def __init__(self, arena: Arena, case: Case, in_background) -> None:
        self.arena = arena
        self.case = case
        self.nonce = secrets.randbits(30)
        self.said = ""
        self.failures: list[str] = []
        self._in_background = in_background
        self._got_out = False

    def __enter__(self) -> Self:
        actions = self.arena.world.actions
        self.arena.prepare()
        self.sibling = Secretive(self.arena, actions("wrong"))
        self.other = Player(self.arena, actions("right"))
        self.other.advance()
        self.hostile = Player(self.arena)
        self.reward_before = self.arena.server.data("evaluate", instance_id=self.hostile.id)
        self.act(self.case.prepare)
        self.pids_before = self.arena.pids()
        self.before = {pid: footprint.footprint(pid) for pid in self.pids_before}
        self.sockets_before = self.sockets()
        self.peak_before = footprint.peak_memory_bytes(self.hostile.pid)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.arena.restore()
        self.arena.is_spent = self.case.kills_server and self._got_out
        if not self.arena.is_spent:
            for player in (self.hostile, self.sibling, self.other):
                player.release()

    def act(self, code: str) -> None:
        """Let the hostile episode execute code, and wait for its answer."""
        if code:
            self._hear(self.hostile.act(smuggle(code, self.known())))

    def run(self) -> None:
        """Execute the case's code, and look what it does meanwhile and afterwards."""
        answer = self._in_background(self.hostile.act, smuggle(self.case.code, self.known()))
        while answer.is_alive() and not self._got_out:
            self._look()
            if self.case.needs_evaluations:
                self._evaluate_the_sibling()
            answer.join(_LOOKS_EVERY_SECONDS)
        self._look()
        self._answer = answer

    def play_others_meanwhile(self) -> None:
        """Execute the case's code; during it, another episode takes a step."""
        playing = self._in_background(self.other.advance)
        self.run()
        playing.result()

    def wait(self) -> None:
        """Wait until the hostile code has been answered."""
        self.arena.let_go_on()
        try:
            self._hear(self._answer.result())
        except httpx.TransportError:
            self.failures.append("no answer")

    def got_out(self) -> bool:
        """Whether the oracle has seen, at any time, that it did."""
        self._look()
        return self._got_out

    def gets_out(self, *, within_seconds: float) -> bool:
        """Whether the oracle sees it within some time: what is killed takes a while to be gone."""
        end = time.monotonic() + within_seconds
        while not self.got_out() and time.monotonic() < end:
            time.sleep(_LOOKS_EVERY_SECONDS)
        return self._got_out

    def evaluate(self):
        """The answer to an evaluation of the hostile episode."""
        return self.arena.server.post("evaluate", instance_id=self.hostile.id)

    def known(self) -> dict[str, object]:
        """What the code is told: more than an attacker could find out."""
        arena, listeners = self.arena, self.arena.listeners
        return {
            "nonce": self.nonce,
            "secret_files": arena.world.secret_files,
            "truth": str(arena.world.truth),
            "task": arena.world.task_id,
            "world": str(arena.world.root),
            "scratch": str(arena.scratch),
            "target": str(arena.target),
            "server": arena.server_pid,
            "zygote": arena.zygote_pid,
            "template": self.arena.template_pid,
            "sibling": self.sibling.pid,
            "sibling_episode": self.sibling.id,
            "secret_address": self.sibling.address,
            "http_port": int(arena.server.url.rsplit(":", 1)[1].rstrip("/")),
            "tcp_port": listeners.tcp_port,
            "udp_port": listeners.udp_port,
            "netlink_port": listeners.netlink_port,
            "stream_path": listeners.stream_path,
            "datagram_path": listeners.datagram_path,
            "abstract_name": listeners.abstract_name,
        }

    def sockets(self) -> int:
        links = footprint.descriptors(self.hostile.pid)
        return sum(link.startswith("socket:") for link in links)

    def _evaluate_the_sibling(self) -> None:
        # A step without effect, since an evaluation is done once a step.
        self.sibling.say("pass")
        self.arena.server.data("evaluate", instance_id=self.sibling.id)

    def _look(self) -> None:
        self._got_out = self._got_out or self.case.got_out(self)

    def _hear(self, response) -> None:
        body = response.json()
        if response.status_code == 200:
            self.said += body["data"]["state"][0]["content"]
        else:
            self.failures.append(body["error"]["type"])


def marks(text: str, prefix: str) -> set[str]:
    """What looks like a mark in a text."""
    return set(re.findall(rf"{prefix}[0-9a-f]{{32}}", text))
