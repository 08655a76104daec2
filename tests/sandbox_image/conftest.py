"""Real servers of the counter environment, each a process of its own on a free port."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

HERE = Path(__file__).parent
COUNTER = "counter_environment:CounterEnvironment"
PATIENCE_SECONDS = 240


class RunningServer:
    """A server process, its HTTP client and what it logged."""

    def __init__(self, environ: dict[str, str], module: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        assert self.process.stdout is not None
        self.announcement = self.process.stdout.readline()
        found = re.search(r"http://\S+", self.announcement)
        self.url = found.group() if found else None
        self.http = httpx.Client(base_url=self.url or "", timeout=PATIENCE_SECONDS)

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def post(self, verb: str, **body: object) -> httpx.Response:
        return self.http.post(f"/{verb}", json=body)

    def data(self, verb: str, **body: object):
        response = self.post(verb, **body)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    def create(self, task_id: str = "count-to-10", **body: object) -> str:
        return self.data("create", task_id=task_id, **body)["info"]["instance_id"]

    def act(self, episode_id: str, action: str, **body: object) -> httpx.Response:
        message = {"role": "assistant", "content": action}
        return self.post("step", instance_id=episode_id, messages=message, **body)

    def observe(self, episode_id: str, action: str, **body: object) -> str:
        response = self.act(episode_id, action, **body)
        assert response.status_code == 200, response.text
        return response.json()["data"]["state"][0]["content"]

    def status(self) -> dict[str, object]:
        return self.http.get("/status").json()["data"]

    def used_slots(self) -> int:
        return self.status()["slots"]["used"]

    def descendants(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def processes_of_episodes(self) -> int:
        """How many processes there are beside the zygote and the templates."""
        return len(self.descendants()) - 1 - self.status()["templates"]["count"]

    def trajectory(self, episode_id: str) -> list[dict[str, object]]:
        response = self.post("trajectory", instance_id=episode_id)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) for line in response.text.split("\n")[:-1]]

    def zygote(self) -> psutil.Process:
        (zygote,) = psutil.Process(self.process.pid).children()
        return zygote

    def wait_for_exit(self) -> int:
        status = self.process.wait(PATIENCE_SECONDS)
        self._reader.join()
        return status

    def wait_until_ready(self) -> "RunningServer":
        wait_until(lambda: self.process.poll() is not None or self.is_ready())
        assert self.process.poll() is None, self.log
        return self

    def is_ready(self) -> bool:
        return self.http.get("/readyz").status_code == 200


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something that must come; the limit only stops a test that failed."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(name="wait_until", scope="session")
def _wait_until() -> Callable[[Callable[[], object]], None]:
    return wait_until


@pytest.fixture(scope="session")
def counter_environ() -> dict[str, str]:
    """The environment variables of a server of the counter environment."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")
    }
    return {
        **inherited,
        "PYTHONPATH": str(HERE),
        "SANDBOX_ENVIRONMENT": COUNTER,
        "SANDBOX_ENVIRONMENT_PYTHON": sys.executable,
        "SANDBOX_HOST": "127.0.0.1",
        "SANDBOX_PORT": "0",
    }


@contextlib.contextmanager
def running(environ: dict[str, str], module: str) -> Iterator[RunningServer]:
    """A server; in the end it and all that it started are gone."""
    server = RunningServer(environ, module)
    try:
        yield server
    finally:
        server.http.close()
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(PATIENCE_SECONDS)
        server.process.kill()
        server.wait_for_exit()
        for stream in (server.process.stdout, server.process.stderr):
            stream.close()


@pytest.fixture(scope="session")
def run_server(counter_environ):
    """A context manager of a server with settings of the caller's own."""

    def _run(settings: dict[str, str], *, module: str = "training_sandbox_server"):
        return running(counter_environ | settings, module)

    return _run


@pytest.fixture(scope="session")
def server(run_server, tmp_path_factory) -> Iterator[RunningServer]:
    """One server for all tests that leave it as they found it."""
    state = str(tmp_path_factory.mktemp("state"))
    with run_server({"SANDBOX_STATE_DIR": state, "SANDBOX_SLOTS": "8"}) as server:
        yield server.wait_until_ready()


@pytest.fixture(scope="session")
def unjailed(run_server, tmp_path_factory) -> Iterator[RunningServer]:
    """One server whose agent code may do whatever this process may."""
    state = str(tmp_path_factory.mktemp("unjailed"))
    settings = {"SANDBOX_STATE_DIR": state, "SANDBOX_SLOTS": "8", "SANDBOX_JAIL": "off"}
    with run_server(settings) as server:
        yield server.wait_until_ready()


@pytest.fixture
def launch(run_server, tmp_path) -> Iterator[Callable[..., RunningServer]]:
    """Start a server with settings of the test's own; it may not become ready."""
    with contextlib.ExitStack() as stack:

        def _launch(**settings: str) -> RunningServer:
            state = {"SANDBOX_STATE_DIR": str(tmp_path / "state")}
            return stack.enter_context(run_server(state | settings))

        yield _launch


@pytest.fixture
def start(launch) -> Callable[..., RunningServer]:
    """Start a server with settings of the test's own and wait until it is ready."""
    return lambda **settings: launch(**settings).wait_until_ready()


@pytest.fixture
def episode(server) -> Iterator[str]:
    """An episode of the shared server, counting to 10."""
    episode_id = server.create()
    yield episode_id
    server.post("release", instance_id=episode_id)


@pytest.fixture
def in_background() -> Iterator[Callable[..., "Background"]]:
    """Run a call in a thread while the test goes on."""
    calls: list[Background] = []

    def _start(call: Callable[..., object], *args: object, **kwargs: object) -> Background:
        calls.append(Background(call, args, kwargs))
        return calls[-1]

    yield _start
    for call in calls:
        call.join(PATIENCE_SECONDS)


class Background(threading.Thread):
    """A call in a thread, and its result."""

    def __init__(self, call, args, kwargs) -> None:
        super().__init__(daemon=True)
        self._call = lambda: call(*args, **kwargs)
        self._outcome: object = None
        self.start()

    def run(self) -> None:
        try:
            self._outcome = self._call()
        except BaseException as error:  # noqa: BLE001 (raised again in result)
            self._outcome = error

    def result(self):
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive(), "the call has not ended"
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome
