"""A running episode forks: its process is copied, and each copy goes on by itself.

Agent code has run in the process, so a copy shares every descriptor that the original had, its
channel among them. Therefore all of them, the original too, go on with new channels: the fork gate
puts one into each process after the fork, where no other can have it.
"""

import gc
import os
import random
import socket

from training_sandbox_worker import wire
from training_sandbox_worker.environment import Episode
from training_sandbox_worker.failure import one_line
from training_sandbox_worker.jail.notifications import gate_call


def branch(episode: Episode, channel: socket.socket, count: int) -> socket.socket:
    """Fork, and say `forked` (the original: or `failed`, or `refused`) on the new channel.

    A branch finds a `seed` frame on its channel: where its random numbers go on from, or null for
    one that goes on as the original.

    Args:
        episode: What this process plays.
        channel: Its channel so far; closed.
        count: How often to fork.

    Returns:
        The channel of the process that returns: the original or a branch.
    """
    episode.before_fork()
    # Collecting garbage would write to objects that the processes share.
    gc.freeze()
    random_state = random.getstate()
    failure: OSError | None = None
    is_branch = False
    for _ in range(count):
        try:
            is_branch = os.fork() == 0
        except OSError as error:
            failure = error
        if is_branch or failure is not None:
            break
    new_channel = socket.socket(fileno=gate_call())
    channel.close()
    seed = _seed(new_channel) if is_branch else None
    # A fork seeds the module's generator anew.
    random.setstate(random_state)
    if seed is not None:
        random.seed(seed)
    episode.after_fork(seed)
    if failure is None:
        wire.send(new_channel, {"kind": "forked"})
    else:
        # The fork gate lets no process fork that has threads; else something is used up for now.
        kind = "refused" if isinstance(failure, PermissionError) else "failed"
        wire.send(new_channel, {"kind": kind, "reason": one_line(failure)})
    return new_channel


def _seed(channel: socket.socket) -> int | None:
    frame = wire.receive(channel)
    if frame is None:
        raise wire.WireError("a branch was abandoned before it began")
    return None if frame.get("seed") is None else wire.field(frame, "seed", int)
