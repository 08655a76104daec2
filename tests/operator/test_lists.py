"""Long lists: page by page, the next one on its way while one is read."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.operator.fake_cluster import FakeCluster
from training_sandbox_operator.cluster import api_server
from training_sandbox_operator.cluster.errors import ExpiredError
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi


class LongList:
    """A list of the API server's, of numbered objects.

    Args:
        held: the page that begins here is never answered.
        forgotten: the page that begins here cannot be had any more.

    Attributes:
        asked: how many were asked for at most, page by page.
    """

    def __init__(
        self, count: int, size: int = 1, *, held: int | None = None, forgotten: int | None = None
    ) -> None:
        self._held, self._forgotten = held, forgotten
        self._objects = [{"number": number, "text": "x" * size} for number in range(count)]
        self._has_changed = asyncio.Condition()
        self.asked: list[int] = []

    async def answer(self, request: web.Request) -> web.Response:
        start, limit = int(request.query.get("continue", "0")), int(request.query["limit"])
        self.asked.append(limit)
        async with self._has_changed:
            self._has_changed.notify_all()
        if start == self._held:
            await asyncio.Event().wait()
        if start == self._forgotten:
            return web.json_response({"reason": "Expired", "message": "too old"}, status=410)
        end = start + limit
        following = {"continue": str(end)} if end < len(self._objects) else {}
        metadata = {"resourceVersion": "7", **following}
        return web.json_response({"metadata": metadata, "items": self._objects[start:end]})

    async def until(self, is_reached: Callable[[], bool]) -> None:
        async with self._has_changed, asyncio.timeout(10):
            await self._has_changed.wait_for(is_reached)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[KubernetesApi]:
        app = web.Application()
        app.router.add_get("/apis/trainingsandbox.dev/v1alpha1/traininginstances", self.answer)
        async with TestServer(app) as server:
            url = str(server.make_url(""))
            async with KubernetesApi(lambda: kopf.ConnectionInfo(server=url)) as api:
                yield api


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_server, "_PAGE_SIZE", 20)


async def test_lists_are_read_to_their_last_page(api: KubernetesApi, cluster: FakeCluster) -> None:
    for number in range(5):
        cluster.instance(f"demo-{number}")
    pages = [page async for page in api.list_instances("research")]
    names = [item["metadata"]["name"] for page in pages for item in page.items]
    assert names == [f"demo-{number}" for number in range(5)]
    assert len(pages) == 3


async def test_large_objects_are_listed_a_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_server, "_PAGE_SIZE", 500)
    monkeypatch.setattr(api_server, "_LONGEST_PAGE_BYTES", 10_000)
    listed = LongList(7, size=4_000)
    async with listed.served() as api:
        pages = [page async for page in api.list_instances(None)]
    assert [one["number"] for page in pages for one in page.items] == list(range(7))
    assert max(len(page.items) for page in pages) == 2
    assert listed.asked[:4] == [500, 50, 5, 1]


async def test_while_a_page_is_read_the_next_one_and_no_other_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though whoever reads it does not let go of the loop."""
    begun: list[str] = []
    request = KubernetesApi.request

    async def counted(api: KubernetesApi, method: str, path: str, **options: Any) -> Any:
        begun.append(path)
        return await request(api, method, path, **options)

    monkeypatch.setattr(KubernetesApi, "request", counted)
    listed = LongList(100)
    async with listed.served() as api:
        pages = api.list_instances(None)
        for number in range(5):
            await anext(pages)
            assert len(begun) == min(number + 2, 5)
    assert listed.asked == [20] * 5


async def test_a_list_that_is_given_up_leaves_nothing_behind() -> None:
    listed = LongList(100, held=20)
    async with listed.served() as api:
        pages = api.list_instances(None)
        await anext(pages)
        await listed.until(lambda: len(listed.asked) == 2)
        assert [task for task in asyncio.all_tasks() if is_of_list(task)]
        await pages.aclose()
        assert not [task for task in asyncio.all_tasks() if is_of_list(task)]


def is_of_list(task: "asyncio.Task[Any]") -> bool:
    return "_page" in repr(task.get_coro())


async def test_a_page_that_is_forgotten_meanwhile_ends_the_list() -> None:
    listed = LongList(100, forgotten=20)
    async with listed.served() as api:
        pages = api.list_instances(None)
        assert len((await anext(pages)).items) == 20
        with pytest.raises(ExpiredError):
            await anext(pages)
