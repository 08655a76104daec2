"""The beginning of a forked process: its job comes as the first frame of its channel."""

import random
import socket
from dataclasses import dataclass

from training_sandbox_worker import evaluation, process, wire
from training_sandbox_worker.environment import Environment, Task
from training_sandbox_worker.episode import Opened, open_task, play
from training_sandbox_worker.fork_server import ForkServer, settle
from training_sandbox_worker.jails import Jails


@dataclass(frozen=True, slots=True)
class Jobs:
    """What a process forked by the zygote or by a template does.

    Attributes:
        environment: The environment.
        jails: What its processes are confined by.
        opened: The task that is open in this process; None unless it is a template's.
        random_state: Of the module `random` when the task was opened: a fork loses it.
    """

    environment: Environment
    jails: Jails
    opened: Opened | None = None
    random_state: object = None

    def run(self, channel: socket.socket) -> None:
        """Do what the first frame asks for: `open` an episode, `evaluate` one, be a `template`."""
        frame = wire.receive(channel)
        if frame is None:
            return
        task = _task(wire.mapping(frame, "task"))
        match frame["kind"]:
            case "open":
                self._play(task, channel)
            case "evaluate":
                self._evaluate(task, frame, channel)
            case "template":
                self._be_template(task, channel)
            case kind:
                raise wire.WireError(f"{kind!r} is no job")

    def _play(self, task: Task, channel: socket.socket) -> None:
        opened = self.opened
        if opened is None:
            opened = open_task(self.environment, task, channel)
            if opened is None:
                return
        else:
            random.setstate(self.random_state)  # type: ignore[arg-type]
            opened.episode.after_fork(None)
        process.take_long_turns()
        self.jails.enter_for_episode(channel)
        play(opened, channel)

    def _evaluate(self, task: Task, frame: wire.Frame, channel: socket.socket) -> None:
        sparse = wire.field(frame, "sparse", bool)
        state = wire.content(frame, "state")
        self.jails.enter_for_evaluation(channel)
        evaluation.evaluate(self.environment, task, state, channel, sparse=sparse)

    def _be_template(self, task: Task, channel: socket.socket) -> None:
        """Open the task once; every episode of it is a fork of this process from now on."""
        opened = open_task(self.environment, task, channel)
        if opened is None:
            return
        opened.episode.before_fork()
        jobs = Jobs(self.environment, self.jails, opened, random.getstate())
        settle()
        channel.sendall(opened.answer)
        ForkServer(channel, jobs.run).serve()


def _task(frame: wire.Frame) -> Task:
    return Task(id=wire.field(frame, "task_id", str), params=wire.mapping(frame, "params"))
