"""Log lines for people, or as JSON; the latter name the object that they are about."""

import json
import logging
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from training_sandbox_operator.model.names import Key

_subject: ContextVar[tuple[str, Key] | None] = ContextVar("subject", default=None)


def configure_logging(level: str, form: str = "text") -> None:
    """Log to stderr, one line a record; of libraries only what is worth a warning.

    Args:
        level: a level of the logging module.
        form: text or json.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter()
        if form == "json"
        else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in ("kopf", "aiohttp.access", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


@contextmanager
def about(kind: str, key: Key) -> Generator[None]:
    """Have the lines that are logged meanwhile, also by tasks begun meanwhile, name an object."""
    before = _subject.set((kind, key))
    try:
        yield
    finally:
        _subject.reset(before)


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time, level, logger, message, and kind, namespace and name."""

    def format(self, record: logging.LogRecord) -> str:  # noqa: D102 (logging's own)
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        subject = _subject.get()
        if subject is not None:
            kind, key = subject
            line.update(kind=kind, namespace=key.namespace, name=key.name)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)
