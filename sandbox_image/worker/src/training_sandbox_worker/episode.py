"""The life of an episode's process: answer steps, save, fork, close."""

import socket
from dataclasses import dataclass

from training_sandbox_worker import branching, wire
from training_sandbox_worker.environment import Environment, Episode, InvalidAction, Task
from training_sandbox_worker.failure import one_line
from training_sandbox_worker.observation import presentable, presentable_one

_MOST_STATE_BESIDE_AN_OBSERVATION = wire.MAX_FRAME_BYTES // 4
"""Characters; a message has at most 1 MiB, escaped."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A task that was opened, to be played here or in a fork of this process.

    Attributes:
        episode: The task.
        answer: The `opened` frame with the initial messages, encoded once for all forks.
    """

    episode: Episode
    answer: bytes


def open_task(environment: Environment, task: Task, channel: socket.socket) -> Opened | None:
    """Open a task; None when it cannot be, which is answered as `invalid` or `failed`."""
    try:
        episode = environment.open(task)
        messages = presentable(episode.initial_messages())
        return Opened(episode, wire.encode({"kind": "opened", "messages": messages}))
    except InvalidAction as error:
        wire.send(channel, {"kind": "invalid", "detail": str(error)})
    except BaseException as error:  # noqa: BLE001 (the environment's failure is an answer)
        wire.send(channel, {"kind": "failed", "reason": one_line(error)})
    return None


def play(opened: Opened, channel: socket.socket) -> None:
    """Say `opened`, then answer the frames of the channel until `close` or its end.

    A `step` is answered by `observation`, `invalid` (nothing was executed) or `failed`; `save` by
    `saved`; `fork` by `forked`, on a new channel, in this process and in each branch. The last
    observation carries the `state` that would be saved, if it can.
    """
    channel.sendall(opened.answer)
    while (frame := wire.receive(channel)) is not None:
        match frame["kind"]:
            case "step":
                _answer(channel, _step(opened.episode, frame))
            case "save":
                _answer(channel, _save(opened.episode))
            case "fork":
                count = wire.field(frame, "count", int)
                channel = branching.branch(opened.episode, channel, count)
            case _:
                opened.episode.close()
                return


def _step(episode: Episode, frame: wire.Frame) -> wire.Frame:
    index = wire.field(frame, "index", int)
    message = wire.mapping(frame, "message")
    try:
        observation = episode.step(message)
        answer = presentable_one(observation.messages)
        terminated = bool(observation.terminated)
        return {
            "kind": "observation",
            "index": index,
            "message": answer.message,
            "truncated": answer.truncated,
            "terminated": terminated,
            **(_last_state(episode) if terminated else {}),
        }
    except InvalidAction as error:
        return {"kind": "invalid", "index": index, "detail": str(error)}
    except BaseException as error:  # noqa: BLE001 (SystemExit of agent code, for one, is no end)
        return {"kind": "failed", "index": index, "reason": one_line(error)}


def _last_state(episode: Episode) -> wire.Frame:
    """The `state` for the last observation; nothing if it cannot be had or is large."""
    state = _save(episode).get("state")
    fits = isinstance(state, str) and len(state) <= _MOST_STATE_BESIDE_AN_OBSERVATION
    return {"state": state} if fits else {}


def _save(episode: Episode) -> wire.Frame:
    try:
        return {"kind": "saved", "state": wire.text(episode.save())}
    except BaseException as error:  # noqa: BLE001 (the environment's failure is an answer)
        return {"kind": "failed", "reason": one_line(error)}


def _answer(channel: socket.socket, frame: wire.Frame) -> None:
    try:
        wire.send(channel, frame)
    except wire.WireError as error:
        wire.send(
            channel, {"kind": "failed", "index": frame.get("index"), "reason": one_line(error)}
        )
