"""Log lines: time, level, event, then `key=value` pairs; one line each, whatever is in them."""

import json
import logging
import re
import sys
import time
from typing import cast

_PLAIN = re.compile(r"[!#-<>-\[\]-~]+\Z")


def configure(level: int = logging.INFO) -> None:
    """Log to stderr. Of the HTTP library only warnings: a line per request would be a flood."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PairFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Nothing of this is in a line, and finding out costs more than writing the line.
    logging._srcfile = None  # type: ignore[assignment]  # noqa: SLF001 (as logging's own documentation says)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def about(**fields: object) -> dict[str, object]:
    """The `extra` of a log call: the pairs of its line."""
    return {"fields": fields}


class PairFormatter(logging.Formatter):
    """One line a record; values that hold more than a word are JSON strings."""

    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:  # noqa: D102 (logging's own)
        when = self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ")
        fields = cast("dict[str, object]", getattr(record, "fields", {}))
        if record.exc_info:
            fields = {**fields, "traceback": self.formatException(record.exc_info)}
        pairs = [f"{name}={_value(value)}" for name, value in fields.items()]
        return " ".join([when, record.levelname, _one_line(record.getMessage()), *pairs])


def _value(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if _PLAIN.match(text) else json.dumps(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())
