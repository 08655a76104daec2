"""The life of an evaluation's process: one score, then the end."""

import math
import socket

from training_sandbox_worker import wire
from training_sandbox_worker.environment import Environment, Task
from training_sandbox_worker.failure import one_line


def evaluate(
    environment: Environment, task: Task, state: bytes, channel: socket.socket, *, sparse: bool
) -> None:
    """Answer `reward` with a finite float, or `failed`: never a number that stands for an error."""
    try:
        reward = checked_reward(environment.evaluate(task, state, sparse=sparse))
    except BaseException as error:  # noqa: BLE001 (the environment's failure is an answer)
        wire.send(channel, {"kind": "failed", "reason": one_line(error)})
    else:
        wire.send(channel, {"kind": "reward", "reward": reward})


def checked_reward(reward: object) -> float:
    """The reward as a float.

    Raises:
        TypeError: It is no number.
        ValueError: It is not finite.
    """
    if isinstance(reward, bool) or not isinstance(reward, int | float):
        raise TypeError(f"a reward is a float, not {type(reward).__name__}")
    if not math.isfinite(reward):
        raise ValueError(f"a reward is finite, not {reward}")
    return float(reward)
