"""When the container's memory is short, the largest episode ends and all others go on."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_sandbox_server.memory import Memory
from training_sandbox_server.memory_guard import Relief, largest, pause, relief

MIB = 1 << 20
LIMIT = 512 * MIB


@pytest.mark.parametrize(
    ("free_share", "has_limit", "has_templates", "expected"),
    [
        (0.10, True, True, Relief.NOTHING),
        (0.09, True, True, Relief.A_TEMPLATE),
        (0.09, True, False, Relief.NOTHING),
        (0.05, True, False, Relief.NOTHING),
        (0.04, True, True, Relief.ALL_TEMPLATES),
        (0.04, True, False, Relief.AN_EPISODE),
        (0.09, False, True, Relief.A_TEMPLATE),
        (0.04, False, False, Relief.NOTHING),
    ],
)
def test_templates_are_given_up_first_and_episodes_only_below_a_limit(
    free_share, has_limit, has_templates, expected
):
    decided = relief(free_share, has_limit=has_limit, has_templates=has_templates)
    assert decided is expected


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=6))
def test_the_largest_is_one_that_none_exceeds_and_that_holds_something(episodes):
    """Each holds something alone, and shares something with others."""
    alone = dict(enumerate(alone for alone, _ in episodes))
    bounds = dict(enumerate(map(sum, episodes)))
    found, size = largest(bounds, alone.__getitem__)
    assert size == max(alone.values(), default=0)
    assert alone[found] == size if size else found is None


def test_what_cannot_be_the_largest_is_not_measured():
    measured = []
    largest({"small": 3, "large": 9}, lambda name: measured.append(name) or 5)
    assert measured == ["large"]


@given(st.integers(0, 4096))
def test_memory_is_looked_at_again_before_it_can_have_run_out(free):
    seconds = pause(Memory(4096 * MIB, free * MIB, of_container=True))
    assert 0.01 <= seconds <= 0.25
    assert seconds == 0.01 or free - seconds * 4096 >= 0.05 * 4096 - 0.001


class Container:
    """The control group of a server. What it uses is found out whenever the server asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "memory.max").write_text(f"{LIMIT}\n")
        (folder / "memory.stat").write_text("inactive_file 0\nactive_file 0\n")
        self.used = lambda: 0
        self._current = folder / "memory.current"
        self._let_ask()
        self._closed = False
        self._answering = threading.Thread(target=self._answer, daemon=True)
        self._answering.start()

    def use(self, used: int) -> None:
        self.used = lambda: used

    def close(self) -> None:
        """Answer no more; the server has ended."""
        self._closed = True
        reader = os.open(self._current, os.O_RDONLY | os.O_NONBLOCK)
        self._answering.join()
        os.close(reader)

    def _answer(self) -> None:
        while not self._closed:
            # Opened when the server has opened it, and never for two of its looks.
            with self._current.open("w") as asked:
                self._let_ask()
                asked.write(f"{self.used()}\n")

    def _let_ask(self) -> None:
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        pipe.replace(self._current)


@pytest.fixture(scope="module")
def container(tmp_path_factory) -> Iterator[Container]:
    container = Container(tmp_path_factory.mktemp("control-group"))
    yield container
    container.close()


@pytest.fixture(scope="module")
def server_with_a_limit(container, run_server, tmp_path_factory):
    settings = {
        "SANDBOX_STATE_DIR": str(tmp_path_factory.mktemp("state")),
        "LIMITED_CONTROL_GROUP": str(container.folder),
    }
    with run_server(settings, module="limited_server") as server:
        yield server.wait_until_ready()


@pytest.fixture
def limited(server_with_a_limit, container):
    """A server whose container has a limit, and memory enough until the test takes it away."""
    yield server_with_a_limit
    container.use(0)


@pytest.fixture
def create(limited) -> Iterator[Callable[..., str]]:
    """Create an episode that is released in the end."""
    with contextlib.ExitStack() as stack:

        def _create(task_id: str = "count-to-10", **body: object) -> str:
            episode = limited.create(task_id, **body)
            stack.callback(limited.post, "release", instance_id=episode)
            return episode

        yield _create


@pytest.fixture
def accounted(container, limited) -> None:
    """The container uses what its processes hold, and half of its limit beside."""
    others = LIMIT // 2 - used_by(limited)
    container.used = lambda: others + used_by(limited)


def used_by(server) -> int:
    """The memory of a server and all of its processes."""
    used = 0
    for process in (psutil.Process(server.process.pid), *server.descendants()):
        with contextlib.suppress(psutil.NoSuchProcess):
            used += process.memory_full_info().pss
    return used


def told(response) -> tuple[int, object, object]:
    """The status, type and reason of an error, which says nothing that could pass for a reward."""
    body = response.json()
    assert set(body) == {"success", "detail", "error"}
    return response.status_code, body["error"]["type"], body["error"].get("reason")


OUT_OF_MEMORY = (410, "episode_lost", "out_of_memory")


def ended_for_memory(server) -> int:
    name = "sandbox_episodes_out_of_memory_total "
    lines = server.http.get("/metrics").text.splitlines()
    return int(float(next(line for line in lines if line.startswith(name)).split()[1]))


def test_a_greedy_episode_is_lost_and_all_others_go_on(limited, accounted, create, wait_until):
    incarnation, before = limited.status()["incarnation"], ended_for_memory(limited)
    greedy, modest, small = create(), create(), create()
    limited.observe(modest, "hoard 32")
    limited.observe(small, "add 4")
    limited.act(greedy, "hoard 256")
    wait_until(lambda: ended_for_memory(limited) == before + 1)
    response = limited.act(greedy, "add 1")
    assert told(response) == OUT_OF_MEMORY
    assert "memory was short" in response.json()["detail"]
    assert told(limited.post("evaluate", instance_id=greedy)) == OUT_OF_MEMORY
    assert limited.observe(modest, "add 5") == "5"
    assert limited.observe(small, "add 1") == "5"
    assert limited.data("evaluate", instance_id=small) == 0.5
    assert limited.status()["incarnation"] == incarnation
    assert ended_for_memory(limited) == before + 1


def test_the_log_says_why_and_how_large_it_was(limited, container, create, wait_until):
    episode = create()
    limited.observe(episode, "hoard 64")
    container.use(LIMIT)
    wait_until(lambda: any(f"episode={episode} state=lost" in line for line in limited.lines))
    (line,) = [line for line in limited.lines if f"episode={episode} state=lost" in line]
    assert 'why="memory is short: it was the largest episode, ' in line


def test_a_step_is_told_that_its_episode_ended_for_memory(
    limited, container, create, in_background
):
    episode = create()
    step = in_background(limited.act, episode, "sleep 600")
    container.use(LIMIT)
    assert told(step.result()) == OUT_OF_MEMORY


def test_an_episode_that_is_being_opened_can_be_the_one_that_ends(
    limited, container, in_background, wait_until
):
    create = in_background(limited.post, "create", task_id="slow")
    wait_until(lambda: limited.used_slots() == 1)
    container.use(LIMIT)
    assert told(create.result()) == OUT_OF_MEMORY
    assert limited.used_slots() == 0


def test_an_evaluation_is_part_of_its_episode(
    limited, container, create, in_background, wait_until
):
    episode = create()
    player = int(limited.observe(episode, "pid"))
    limited.observe(episode, "spoil slow")
    last_step = in_background(limited.act, episode, "done")
    wait_until(lambda: not psutil.pid_exists(player))
    container.use(LIMIT)
    assert told(last_step.result()) == OUT_OF_MEMORY


def test_templates_go_before_any_episode(limited, container, create, wait_until):
    episode = create()
    limited.data("prepare", task_ids=["count-to-3"])
    # The tests before opened the episode's task too, so that there can be one of it as well.
    wait_until(lambda: limited.status()["templates"]["count"] > 0)
    container.use(LIMIT * 93 // 100)
    wait_until(lambda: limited.status()["templates"]["count"] == 0)
    assert limited.observe(episode, "add 1") == "1"
