"""How much memory there is, by the files of control groups and of the machine."""

from pathlib import Path

import psutil
import pytest

from training_sandbox_server import memory

MIB = 1 << 20


def write(folder: Path, **files: object) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")
    return folder


def v2(folder: Path, limit: object) -> Path:
    statistics = f"anon {300 * MIB}\ninactive_file {60 * MIB}\nactive_file {40 * MIB}\nslab 7"
    return write(folder, memory__max=limit, memory__current=500 * MIB, memory__stat=statistics)


def v1(folder: Path, limit: object) -> Path:
    statistics = (
        f"cache 5\ninactive_file 1\nactive_file 1\n"
        f"total_inactive_file {60 * MIB}\ntotal_active_file {40 * MIB}"
    )
    write(
        folder / "memory",
        memory__limit_in_bytes=limit,
        memory__usage_in_bytes=500 * MIB,
        memory__stat=statistics,
    )
    return folder


@pytest.mark.parametrize("version", [v2, v1])
def test_a_container_with_a_limit_has_what_is_left_of_it_and_its_page_cache(version, tmp_path):
    now = memory.read(version(tmp_path, 1000 * MIB))
    assert now == memory.Memory(1000 * MIB, 600 * MIB, of_container=True)
    assert now.free_share == 0.6


@pytest.mark.parametrize(
    ("version", "limit"),
    [(v2, "max"), (v2, 1 << 60), (v1, 9223372036854771712)],
    ids=["v2: max", "v2: more than the machine has", "v1: none"],
)
def test_a_container_without_a_limit_has_the_machines_memory(version, limit, tmp_path):
    now = memory.read(version(tmp_path, limit))
    assert (now.total_bytes, now.of_container) == (psutil.virtual_memory().total, False)
    assert 0 < now.free_bytes <= now.total_bytes


def test_where_there_is_no_control_group_it_is_the_machines_memory(tmp_path):
    now = memory.read(tmp_path)
    assert (now.total_bytes, now.of_container) == (psutil.virtual_memory().total, False)


def test_over_the_limit_nothing_is_free(tmp_path):
    assert memory.read(v2(tmp_path, 100 * MIB)).free_share == 0.0
