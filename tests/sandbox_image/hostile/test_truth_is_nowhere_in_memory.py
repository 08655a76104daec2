"""The ground truth is in no process that agent code runs in or is forked from."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox_image.hostile.agent_code import smuggle

PLANTED = "PLANTED-"


def found_in_memory(pid: int, *marks: str) -> set[str]:
    """Which of some marks are in the memory that a process can write to."""
    found: set[str] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in _writable(pid):
            memory.seek(start)
            content = memory.read(end - start)
            found |= {mark for mark in marks if mark.encode() in content}
    return found


def _writable(pid: int) -> Iterator[tuple[int, int]]:
    for row in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, rights = row.split()[:2]
        if rights.startswith("rw"):
            start, _, end = addresses.partition("-")
            yield int(start, 16), int(end, 16)


@pytest.fixture
def planted() -> str:
    """What is put into the memory of the hostile episode, to see that the search finds things."""
    return f"{PLANTED}{secrets.token_hex(16)}"


def test_no_process_of_the_sandbox_has_it(confined, hostile, planted):
    hostile.say(f"planted = '{planted}'")
    confined.server.data("evaluate", instance_id=hostile.id)
    marks = (confined.world.mark, planted)
    assert found_in_memory(hostile.pid, *marks) == {planted}
    assert found_in_memory(confined.template_pid, *marks) == set()
    assert found_in_memory(confined.zygote_pid, *marks) == set()
    assert found_in_memory(confined.server_pid, *marks) <= {planted}


@pytest.mark.parametrize(
    "road",
    [
        """
for thing in gc.get_objects():
    if isinstance(thing, (dict, list, tuple, set)):
        look(thing)
""",
        """
for module in list(sys.modules.values()):
    for value in list(vars(module).values()):
        for part in (value, *getattr(value, '__dict__', {}).values()):
            if isinstance(part, (str, bytes)):
                look(part)
""",
        """
frame = sys._getframe()
while frame:
    look(dict(frame.f_locals))
    look(frame.f_code.co_consts)
    for value in list(frame.f_locals.values()):
        look(getattr(value, '__dict__', {}))
    frame = frame.f_back
""",
        """
# A pipe reads memory without a crash: what is not there is an error of the write.
os.set_blocking((pipe := os.pipe())[1], False)
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
blocks = {id(thing) >> 21 for thing in (planted, shelf, found, *gc.get_objects())}
for module in list(sys.modules.values()):
    blocks.update(id(value) >> 21 for value in vars(module).values())
for block in sorted(blocks):
    address, end, before = block << 21, (block + 1) << 21, b''
    while address < end:
        size = libc.write(pipe[1], address, min(65536, end - address))
        if size <= 0:
            address, before = (address | 4095) + 1, b''
            continue
        content = before + os.read(pipe[0], size)
        find(content)
        address, before = address + size, content[-64:]
""",
    ],
    ids=["collector", "modules", "frames", "heap"],
)
def test_agent_code_that_looks_through_its_memory_finds_what_is_there_and_not_the_truth(
    confined, hostile, planted, road
):
    tools = f"""
found = set()
def find(content):
    for prefix in (b'TRUTH-', b'PLANTED-'):
        at = content.find(prefix)
        while at >= 0:
            found.add(content[at : at + len(prefix) + 32])
            at = content.find(prefix, at + 1)
def look(thing):
    find(repr(thing)[:1_000_000].encode(errors='replace'))
planted = '{planted}'
shelf = {{'planted': planted}}
sys.modules['shelf'] = type(sys)('shelf')
sys.modules['shelf'].planted = planted
"""
    said = hostile.act(smuggle(f"{tools}{road}\nprint(found)", {})).text
    assert planted in said, said
    assert confined.world.mark not in said
