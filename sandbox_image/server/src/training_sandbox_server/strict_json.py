"""JSON as the standard has it: NaN and infinities are neither read nor written."""

import json
import math
from collections.abc import Mapping
from typing import NoReturn

from starlette.responses import Response


def parse(body: bytes) -> object:
    """The value in a request's body.

    Raises:
        json.JSONDecodeError: The body is not JSON, or has numbers or nesting beyond what can be
            passed on.
    """
    try:
        return json.loads(body, parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("not UTF-8", "", error.start) from error
    except ValueError as error:
        raise json.JSONDecodeError(str(error), "", 0) from error
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", "", 0) from error


def respond(
    content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with a JSON body.

    Lone surrogates, which agent code can print and UTF-8 cannot carry, become question marks.
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(
        text.encode(errors="replace"),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(f"{literal[:20]} is out of range")
    return number
