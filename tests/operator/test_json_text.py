"""JSON of the API server: nothing that it may hold is too much."""

import subprocess
import sys

import pytest

from training_sandbox_operator.cluster.json_text import decode, encode

# In a process of its own: room on the stack is made for good.
_READ = """
import copy, sys
from training_sandbox_operator.cluster.json_text import allow_deep_objects, decode, encode

allow_deep_objects()
text = sys.stdin.buffer.read()
value = decode(text)
assert decode(encode(value)) == value == copy.deepcopy(value)
"""


@pytest.mark.parametrize("levels", [100, 1000, 9999])
def test_what_is_nested_as_deep_as_the_api_server_takes_is_read_and_written(levels: int) -> None:
    text = b'{"a":' * levels + b"1" + b"}" * levels
    subprocess.run([sys.executable, "-c", _READ], input=text, check=True, timeout=60)


def test_half_of_a_surrogate_pair_is_written() -> None:
    assert encode({"a": "\ud83d"}) == b'{"a": "\\ud83d"}'


@pytest.mark.parametrize("text", [b"", b"<h1>Bad Gateway</h1>", b'{"a": '])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)
