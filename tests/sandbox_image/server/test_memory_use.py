"""What a process takes, against psutil's reading of it."""

import pytest

from training_sandbox_server.memory_use import private_bytes, resident_bytes

NOBODY = 1 << 22
"""More than the kernel gives as a pid."""

A_LITTLE = 1 << 20


def test_the_memory_of_a_process_is_what_it_has_alone_or_all_that_it_uses(server, episode):
    zygote = server.zygote()
    sizes = zygote.memory_full_info()
    assert private_bytes(zygote.pid) == pytest.approx(sizes.uss, abs=A_LITTLE)
    assert resident_bytes(zygote.pid) == pytest.approx(sizes.rss, abs=A_LITTLE)
    assert private_bytes(zygote.pid) < resident_bytes(zygote.pid)


@pytest.mark.parametrize("size", [private_bytes, resident_bytes])
def test_a_process_that_has_ended_takes_nothing(size):
    assert size(NOBODY) == 0
