"""The catalogue's file, read again when it changes: the kubelet renews mounted ConfigMaps."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from training_sandbox_operator.model.catalogue import Catalogue, CatalogueError, load_catalogue

_log = logging.getLogger(__name__)

_PERIOD_SECONDS = 5.0


class CatalogueFile:
    """The catalogue that holds now.

    Args:
        path: of the file.

    Raises:
        CatalogueError: the file cannot be used now. A later version that cannot be used is logged,
            and the one before goes on holding.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._catalogue = load_catalogue(path)
        self._last_error = ""

    def current(self) -> Catalogue:
        """Return the last catalogue that could be used."""
        return self._catalogue

    def reload(self) -> bool:
        """Read the file again and return whether the catalogue is another one now."""
        try:
            catalogue = load_catalogue(self._path)
        except CatalogueError as error:
            if str(error) != self._last_error:
                _log.error("the catalogue is not renewed: %s", error)
            self._last_error = str(error)
            return False
        self._last_error = ""
        if catalogue == self._catalogue:
            return False
        self._catalogue = catalogue
        _log.info("the catalogue has changed; it has: %s", ", ".join(catalogue.names))
        return True

    async def watch(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change`` whenever the catalogue is another one, for ever."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            if self.reload():
                on_change()
