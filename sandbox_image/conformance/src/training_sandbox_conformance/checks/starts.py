"""The server loads it."""

from training_sandbox_conformance.subject import Check, Subject, require


def run(subject: Subject) -> None:
    """Look at the threads of the process that all episodes are forked from."""
    threads = subject.served.process.zygote().num_threads()
    require(threads == 1, f"the zygote has {threads} threads after preload")


CHECK = Check(
    name="starts",
    promise="It is found, preload loads it, and leaves a single thread",
    remedy="Import and load in preload whatever episodes share, and end there every thread and "
    "pool that a library starts: a fork has only the thread that forks.",
    run=run,
)
