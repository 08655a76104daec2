"""The life of an episode's process: open the task, answer steps, close."""

import socket

from training_sandbox_worker import wire
from training_sandbox_worker.environment import (
    Environment,
    Episode,
    EpisodeContext,
    InvalidAction,
)
from training_sandbox_worker.failure import one_line
from training_sandbox_worker.observation import presentable, presentable_one


def play(environment: Environment, context: EpisodeContext, channel: socket.socket) -> None:
    """Open the task and answer the frames of the channel until `close` or its end.

    The first answer is `opened` with the initial messages, or `invalid` or `failed`, after which
    there is no other. Each `step` is answered by `observation`, `invalid` (nothing was executed)
    or `failed`.
    """
    episode = _open(environment, context, channel)
    if episode is None:
        return
    while (frame := wire.receive(channel)) is not None:
        if frame["kind"] == "close":
            episode.close()
            return
        _answer(channel, _step(episode, frame))


def _open(
    environment: Environment, context: EpisodeContext, channel: socket.socket
) -> Episode | None:
    try:
        episode = environment.open(context)
        messages = presentable(episode.initial_messages())
    except InvalidAction as error:
        wire.send(channel, {"kind": "invalid", "detail": str(error)})
        return None
    except BaseException as error:  # noqa: BLE001 (the environment's failure is an answer)
        wire.send(channel, {"kind": "failed", "reason": one_line(error)})
        return None
    _answer(channel, {"kind": "opened", "messages": messages})
    return episode


def _step(episode: Episode, frame: wire.Frame) -> wire.Frame:
    index = wire.field(frame, "index", int)
    message = wire.mapping(frame, "message")
    try:
        observation = episode.step(message)
        return {
            "kind": "observation",
            "index": index,
            "message": presentable_one(observation.messages),
            "terminated": bool(observation.terminated),
        }
    except InvalidAction as error:
        return {"kind": "invalid", "index": index, "detail": str(error)}
    except BaseException as error:  # noqa: BLE001 (SystemExit of agent code, for one, is no end)
        return {"kind": "failed", "index": index, "reason": one_line(error)}


def _answer(channel: socket.socket, frame: wire.Frame) -> None:
    try:
        wire.send(channel, frame)
    except wire.WireError as error:
        wire.send(
            channel, {"kind": "failed", "index": frame.get("index"), "reason": one_line(error)}
        )
