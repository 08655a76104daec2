"""The beginning of a forked process: its job comes as the first frame of its channel."""

import os
import socket
from pathlib import Path

from training_sandbox_worker import evaluation, wire
from training_sandbox_worker.environment import Environment, EpisodeContext
from training_sandbox_worker.episode import play


def run(environment: Environment, channel: socket.socket) -> None:
    """Do what the first frame asks for: `open` an episode or `evaluate` one.

    The process works in the episode's directory: files that agent code writes without a path are
    removed with it.
    """
    frame = wire.receive(channel)
    if frame is None:
        return
    context = _context(wire.mapping(frame, "context"))
    os.chdir(context.directory)
    if frame["kind"] == "evaluate":
        sparse = wire.field(frame, "sparse", bool)
        evaluation.evaluate(environment, context, channel, sparse=sparse)
    else:
        play(environment, context, channel)


def _context(frame: wire.Frame) -> EpisodeContext:
    return EpisodeContext(
        episode_id=wire.field(frame, "episode_id", str),
        task_id=wire.field(frame, "task_id", str),
        params=wire.mapping(frame, "params"),
        directory=Path(wire.field(frame, "directory", str)),
    )
