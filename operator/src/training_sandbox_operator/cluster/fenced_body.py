"""The body of a write, which is not sent by a process that may not write any more."""

from collections.abc import Callable

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from training_sandbox_operator.cluster.errors import NotLeadingError


class FencedBody(aiohttp.BytesPayload):
    """Bytes that ask once more, right before they go out together with their headers.

    From the first question until then the event loop has turned: the process may have been paused
    in between, for longer than its lease has held.

    Args:
        data: the bytes.
        may_write: whether this process may write now.
    """

    def __init__(self, data: bytes, may_write: Callable[[], bool]) -> None:
        super().__init__(data)
        self._may_write = may_write

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Write the bytes.

        Raises:
            NotLeadingError: this process may not write any more.
        """
        if not self._may_write():
            raise NotLeadingError(0, "NotLeading", "this process does not lead any more")
        await super().write_with_length(writer, content_length)
