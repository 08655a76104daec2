"""Calls an ASGI application in the calling thread.

Starlette's test client, which AppWorld calls its APIs by, runs the application in an event loop in
a thread, and every endpoint in another one. A fork loses threads, and each call waits for them six
times. Nothing in AppWorld's APIs waits for anything: so here a coroutine is driven by hand, and
what was meant for a thread is called in place.
"""

from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Self, cast

import httpx
from starlette.testclient import TestClient

_WHERE_THREADS_ARE_STARTED = ("anyio.to_thread", "fastapi_login.fastapi_login")


class Suspended(RuntimeError):  # noqa: N818 (reads better where it is caught)
    """The application waits for something: it needs an event loop."""


class SynchronousClient(TestClient):
    """A test client without threads; it need not be entered or left."""

    def __enter__(self) -> Self:
        """Nothing is started."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left."""

    def request(  # type: ignore[override] (what AppWorld passes)
        self, method: str, url: str, *, auth: object = None, **content: Any
    ) -> httpx.Response:
        """Call the application, without what a network needs: no timeouts, hooks or cookies."""
        del auth
        redirects = content.pop("follow_redirects", self.follow_redirects)
        request = self.build_request(method, self._merge_url(url), **content)
        response = self._transport.handle_request(request)
        if redirects and response.has_redirect_location:
            return self.send(request, follow_redirects=True)
        response.read()
        return response

    @contextmanager
    def _portal_factory(self) -> Generator[Any]:
        yield _CallingThread


class _CallingThread:
    """In place of AnyIO's portal into the event loop's thread."""

    @staticmethod
    def call(function: Callable[..., object], *args: object) -> object:
        result = function(*args)
        if isinstance(result, Coroutine):
            return _drive(cast("Coroutine[Any, Any, object]", result))
        return result


def call_in_place_of_threads() -> None:
    """Make AnyIO call, in this process, what it is asked to call in a thread."""
    for module in _WHERE_THREADS_ARE_STARTED:
        vars(import_module(module))["run_sync"] = _call_in_place


async def _call_in_place(function: Callable[..., object], *args: object, **_: object) -> object:
    return function(*args)


def _drive(coroutine: Coroutine[Any, Any, object]) -> object:
    """Run a coroutine that never waits.

    Raises:
        Suspended: It does wait.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise Suspended("the application waits for something, and there is no event loop")
