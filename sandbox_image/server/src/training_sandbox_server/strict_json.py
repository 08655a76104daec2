"""JSON as the standard has it: NaN and infinities are neither read nor written."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import NoReturn, cast

from starlette.responses import Response

MAX_NESTING = 64
"""Lists and objects within each other; far from where reading or writing them would fail."""

_TOO_DEEP = f"nested more than {MAX_NESTING} deep"


def parse(body: bytes) -> object:
    """The value in a request's body.

    Raises:
        json.JSONDecodeError: The body is not JSON, or has numbers or nesting beyond what can be
            passed on.
    """
    try:
        value: object = _DECODER.decode(body.decode())
        refuse_deep_nesting(value)
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("not UTF-8", "", error.start) from error
    except ValueError as error:
        raise json.JSONDecodeError(str(error), "", 0) from error
    except RecursionError as error:
        raise json.JSONDecodeError(_TOO_DEEP, "", 0) from error
    return value


def encode(content: object) -> bytes:
    """JSON in one line of UTF-8.

    Lone surrogates, which agent code can print and UTF-8 cannot carry, become question marks.
    """
    return _ENCODER.encode(content).encode(errors="replace")


def respond(
    content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with a JSON body."""
    return Response(
        encode(content),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )


def canonical(value: object) -> str:
    """The same text for equal values, whatever the order of their members."""
    return _CANONICAL.encode(value)


def refuse_deep_nesting(value: object) -> None:
    """Accept a value whose nesting leaves room for what it will be put into.

    Raises:
        ValueError: It is nested more than `MAX_NESTING` deep.
    """
    level = [value]
    for _ in range(MAX_NESTING + 1):
        level = [inner for outer in level for inner in _members(outer)]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(f"{literal[:20]} is out of range")
    return number


# Made once: json.loads and json.dumps make new ones for each call with options.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
