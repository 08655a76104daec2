"""What a fork that fails leaves in the server: driven in this process, with a zygote of its own."""

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from socket import SHUT_RDWR, socket, socketpair

import pytest

from training_sandbox_server.episode_processes import EpisodeProcesses
from training_sandbox_server.forker import ForkError
from training_sandbox_server.template import Template
from training_sandbox_server.templates import Templates
from training_sandbox_server.zygote_client import Zygote

TASK = {"task_id": "count-to-10", "params": {}}
PATIENCE_SECONDS = 240


@pytest.fixture
def zygotes_process(counter_environ) -> Iterator[tuple[socket, subprocess.Popen[bytes]]]:
    """The control socket of a zygote, and its process."""
    ours, theirs = socketpair()
    ours.setblocking(False)
    command = [sys.executable, "-P", "-m", "training_sandbox_worker"]
    command += ["--environment", "counter_environment:CounterEnvironment"]
    with theirs:
        process = subprocess.Popen(
            [*command, "--control-fd", str(theirs.fileno())],
            env=counter_environ,
            pass_fds=[theirs.fileno()],
        )
    with ours, process:
        yield ours, process
        process.terminate()


@pytest.fixture
async def zygote(zygotes_process) -> AsyncIterator[Zygote]:
    control, process = zygotes_process
    exited = asyncio.get_running_loop().create_future()
    zygote = Zygote(control, process.pid, exited)
    await zygote.boot()
    yield zygote
    control.shutdown(SHUT_RDWR)
    await zygote.gone.wait()
    exited.set_result(0)
    await zygote.stop()


async def act(processes: EpisodeProcesses, index: int, action: str) -> object:
    observed = await processes.step(index, {"role": "assistant", "content": action})
    return observed.message["content"]


async def test_whoever_gets_the_descriptor_after_a_fork_that_failed_still_hears(zygote):
    templates = Templates(zygote, seconds=PATIENCE_SECONDS, budget_bytes=0)
    processes = EpisodeProcesses(zygote, templates, TASK, seconds=2)
    await processes.open()
    await act(processes, 0, "in-fork sleep 600")
    with pytest.raises(TimeoutError):
        await processes.fork([None, None])
    # Any of them may have got it.
    pairs = [
        [await asyncio.open_unix_connection(sock=end) for end in socketpair()] for _ in range(4)
    ]
    await processes.end()
    async with asyncio.timeout(PATIENCE_SECONDS):
        for one, other in pairs:
            for (reader, _), (_, writer) in ((one, other), (other, one)):
                writer.write(b"!")
                assert await reader.readexactly(1) == b"!"
    for _, writer in itertools.chain.from_iterable(pairs):
        writer.close()


async def test_a_template_that_cannot_be_measured_is_ended(zygote, wait_until):
    executor = ThreadPoolExecutor()
    executor.shutdown()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(executor)
    with pytest.raises(ForkError, match="cannot be measured"):
        await Template.make(zygote, TASK, PATIENCE_SECONDS)
    loop.set_default_executor(ThreadPoolExecutor())
    await asyncio.to_thread(wait_until, lambda: zygote.children == 0)
