"""What a server of the counter environment must answer to a caller: a model without any I/O.

Each verb changes the model and returns what is expected: the answer, or the type of the error as a
`Refused`.
"""

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SPOILT = {"nan", "die", "forged"}
"""Saved states that cannot be evaluated."""


@dataclass(frozen=True)
class Refused:
    """An answer that carries an error, and nothing else."""

    type: str


@dataclass(frozen=True)
class Stepped:
    content: str
    reward: float = 0.0
    terminated: bool = False


@dataclass
class Player:
    """An episode.

    Attributes:
        life: Tells it from others of its id.
        task_id: Its task, whose id ends with the target.
        origin: Of a branch: the life that it came from, and whether it was reseeded.
        first_index: The index of its first step.
        executed: Action and observation of each step, those of its parent before the fork too.
        total: What it counted to.
        spoilt: Whether there can be no reward.
        terminated: Whether it takes no more steps.
    """

    life: int
    task_id: str
    origin: tuple[int, bool] | None = None
    first_index: int = 0
    executed: list[tuple[str, str]] = field(default_factory=list)
    total: int = 0
    spoilt: bool = False
    terminated: bool = False

    def reward(self, *, sparse: bool) -> float | Refused:
        if self.spoilt:
            return Refused("evaluation_failed")
        target = int(self.task_id.rpartition("-")[2])
        return float(self.total == target) if sparse else min(self.total / target, 1.0)

    def answer(self) -> Stepped | Refused:
        """The answer to the last step, as often as it is asked for."""
        content = self.executed[-1][1]
        if not self.terminated:
            return Stepped(content)
        reward = self.reward(sparse=False)
        return reward if isinstance(reward, Refused) else Stepped(content, reward, terminated=True)


class Model:
    """The episodes of one server.

    Attributes:
        living: Those that hold a slot, by id.
        over: Why the others are over.
    """

    def __init__(self, slots: int) -> None:
        self.living: dict[str, Player] = {}
        self.over: dict[str, str] = {}
        self._slots = slots
        self._lives = itertools.count()

    @property
    def free(self) -> int:
        return self._slots - len(self.living)

    def is_playing(self, name: str) -> bool:
        return name in self.living and not self.living[name].terminated

    def refused(self, name: str) -> Refused | None:
        if name in self.living:
            return None
        return Refused(f"episode_{self.over[name]}" if name in self.over else "episode_not_found")

    def create(self, names: Sequence[str], task_id: str) -> Sequence[str] | Refused:
        """/create and /create_group."""
        refused = self._refused_new(names, task_id, None)
        if refused is not None:
            return refused
        for name in set(names) - set(self.living):
            self._begin(name, Player(next(self._lives), task_id))
        return names

    def fork(self, name: str, names: Sequence[str], *, reseed: bool) -> Sequence[str] | Refused:
        if refused := self.refused(name):
            return refused
        parent = self.living[name]
        if parent.terminated:
            return Refused("episode_terminated")
        origin = parent.life, reseed
        refused = self._refused_new(names, parent.task_id, origin)
        if refused is not None:
            return refused
        step_index = len(parent.executed)
        if any(self.living[one].first_index != step_index for one in names if one in self.living):
            return Refused("episode_exists")
        for one in set(names) - set(self.living):
            branch = copy.deepcopy(parent)
            branch.life, branch.origin, branch.first_index = next(self._lives), origin, step_index
            self._begin(one, branch)
        return names

    def step(self, name: str, action: str, index: int | None) -> Stepped | Refused:
        if refused := self.refused(name):
            return refused
        player = self.living[name]
        executed = player.executed
        if index not in (None, len(executed)):
            repeated = bool(executed) and (index, action) == (len(executed) - 1, executed[-1][0])
            return player.answer() if repeated else Refused("out_of_order")
        if player.terminated:
            return Refused("episode_terminated")
        command, _, argument = action.partition(" ")
        match command:
            case "add":
                player.total += int(argument)
                executed.append((action, str(player.total)))
            case "spoil":
                player.spoilt = argument in SPOILT
                executed.append((action, "spoilt"))
            case "done":
                player.terminated = True
                executed.append((action, "done"))
            case _:
                return Refused("invalid_request")
        return player.answer()

    def observe(self, name: str, action: str, content: str) -> None:
        """A step was executed whose observation cannot be foretold."""
        self.living[name].executed.append((action, content))

    def evaluate(self, name: str, *, sparse: bool) -> float | Refused:
        return self.refused(name) or self.living[name].reward(sparse=sparse)

    def release(self, name: str) -> bool:
        """Whether the id is known."""
        if name in self.living:
            self.end(name, "released")
        return name in self.over

    def end(self, name: str, why: str) -> None:
        del self.living[name]
        self.over[name] = why

    def _begin(self, name: str, player: Player) -> None:
        self.living[name] = player
        self.over.pop(name, None)

    def _refused_new(
        self, names: Sequence[str], task_id: str, origin: tuple[int, bool] | None
    ) -> Refused | None:
        """Why these cannot be had: neither all new, nor all there with the same arguments."""
        there = [self.living[name] for name in names if name in self.living]
        same = all((player.task_id, player.origin) == (task_id, origin) for player in there)
        if not same or (there and len(there) < len(names)):
            return Refused("episode_exists")
        return Refused("full") if not there and len(names) > self.free else None


def trajectory_steps(lines: Sequence[Mapping[str, object]]) -> list[tuple[object, object]]:
    """Action and observation of each step that a trajectory tells of, in order."""
    steps: list[tuple[object, object]] = []
    for line in lines:
        match line:
            case {
                "type": "step",
                "action": {"content": action},
                "observation": {"content": observation},
            }:
                steps.append((action, observation))
            case _:
                pass
    return steps
