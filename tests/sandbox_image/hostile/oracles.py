"""How it is seen from outside that code got out. What code prints counts only where it prints a
mark that it could have from nowhere else.
"""

import ctypes
import os
import re
from collections.abc import Callable
from pathlib import Path

from tests.sandbox_image.hostile import footprint
from tests.sandbox_image.hostile.agent_code import plain
from tests.sandbox_image.hostile.attack import Attack
from tests.sandbox_image.hostile.case import Oracle

MOST_THREADS = 70
MOST_MEMORY_BYTES = 300 << 20
_KEY_SPEC_USER_KEYRING = -4
_KEYCTL_SEARCH = 10


def told_the_truth(attack: Attack) -> bool:
    return attack.arena.world.mark in attack.said


def changed_the_truth(attack: Attack) -> bool:
    return not attack.arena.world.truth_is_as_it_was()


def told_the_secret_of_the_sibling(attack: Attack) -> bool:
    return attack.sibling.secret in attack.said


def changed_the_secret_of_the_sibling(attack: Attack) -> bool:
    return bool(attack.said) and not attack.sibling.keeps_its_secret()


def left_a_file(attack: Attack) -> bool:
    return any(attack.arena.scratch.iterdir())


def left_a_file_at(pattern: str) -> Oracle:
    return lambda attack: Path(pattern.format(nonce=attack.nonce)).exists()


def changed_the_target(attack: Attack) -> bool:
    target = attack.arena.target
    if not target.exists():
        return True
    about = target.stat()
    return (
        target.read_text() != "as it was"
        or (about.st_mode & 0o777) != 0o644
        or about.st_uid != os.getuid()
        or about.st_mtime < 1_000_000_000
        or about.st_nlink != 1
        or bool(os.listxattr(target))
    )


def reached_a_listener(attack: Attack) -> bool:
    return str(attack.nonce).encode() in attack.arena.listeners.received


def has_a_new_socket(attack: Attack) -> bool:
    return attack.sockets() > attack.sockets_before


def has_a_listening_port(attack: Attack) -> bool:
    inodes = {
        found[1]
        for link in footprint.descriptors(attack.hostile.pid)
        if (found := re.fullmatch(r"socket:\[(\d+)\]", link))
    }
    table = Path(f"/proc/{attack.hostile.pid}/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[9] in inodes and row.split()[3] == "0A" for row in table)


def holds(pattern: str) -> Oracle:
    """Whether a descriptor of the hostile process leads to this."""
    return lambda attack: any(
        re.search(pattern, link) for link in footprint.descriptors(attack.hostile.pid)
    )


def has_a_descriptor_of(process: str) -> Oracle:
    """Whether it shares a socket with another process."""

    def got_out(attack: Attack) -> bool:
        others = sockets(getattr(attack.arena, f"{process}_pid", 0) or attack.sibling.pid)
        return bool(sockets(attack.hostile.pid) & others)

    def sockets(pid: int) -> set[str]:
        return {link for link in footprint.descriptors(pid) if link.startswith("socket:")}

    return got_out


def started_a_process(attack: Attack) -> bool:
    return bool(attack.arena.pids() - attack.pids_before)


def started_processes(count: int) -> Oracle:
    return lambda attack: len(attack.arena.pids() - attack.pids_before) >= count


def has_too_many_threads(attack: Attack) -> bool:
    return footprint.threads(attack.hostile.pid) > MOST_THREADS


def has_too_much_memory(attack: Attack) -> bool:
    pid = attack.hostile.pid
    grown = footprint.peak_memory_bytes(pid) - attack.peak_before
    return grown + footprint.bytes_of_deleted_files(pid) > MOST_MEMORY_BYTES


def keeps_a_file_without_a_name(attack: Attack) -> bool:
    return footprint.bytes_of_deleted_files(attack.hostile.pid) > 1 << 20


def ended(process: str) -> Oracle:
    return lambda attack: footprint.has_ended(_pid(attack, process))


def stopped(process: str) -> Oracle:
    return lambda attack: footprint.is_stopped(_pid(attack, process))


def traces(process: str) -> Oracle:
    return lambda attack: footprint.tracer(_pid(attack, process)) != 0


def released_the_sibling(attack: Attack) -> bool:
    return attack.sibling.has_ended


def changed(what: str, process: str) -> Oracle:
    """Whether a part of a process's `Footprint` is not as it was."""

    def got_out(attack: Attack) -> bool:
        pid = _pid(attack, process)
        before, now = attack.before[pid], footprint.footprint(pid)
        return now is not None and getattr(now, what) != getattr(before, what)

    return got_out


def left_in_system_v(kind: str) -> Oracle:
    """Whether there is shared memory (`shm`), a queue (`msg`) or a semaphore (`sem`) of it."""

    def got_out(attack: Attack) -> bool:
        rows = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]
        return any(int(row.split()[0]) == attack.nonce for row in rows)

    return got_out


def left_a_message_queue(attack: Attack) -> bool:
    library = ctypes.CDLL(None)
    queue = library.mq_open(f"/hostile-{attack.nonce}".encode(), os.O_RDONLY)
    if queue < 0:
        return False
    os.close(queue)
    return True


def left_a_key(attack: Attack) -> bool:
    library = ctypes.CDLL(None)
    number = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
    name = f"hostile-{attack.nonce}".encode()
    arguments = (_KEYCTL_SEARCH, ctypes.c_long(_KEY_SPEC_USER_KEYRING), b"user", name, 0)
    return library.syscall(number, *arguments) >= 0


def was_scored_one(attack: Attack) -> bool:
    """Whether it has the reward of the right solution, of which it has played nothing."""
    if not attack.said:
        return False
    # An evaluation is done once a step.
    attack.hostile.act(plain("pass"))
    response = attack.evaluate()
    return response.status_code == 200 and response.json()["data"] == 1.0


def any_of(*oracles: Oracle) -> Oracle:
    return lambda attack: any(oracle(attack) for oracle in oracles)


def _pid(attack: Attack, process: str) -> int:
    find: dict[str, Callable[[], int]] = {
        "hostile": lambda: attack.hostile.pid,
        "sibling": lambda: attack.sibling.pid,
        "server": lambda: attack.arena.server_pid,
        "zygote": lambda: attack.arena.zygote_pid,
        "template": lambda: attack.arena.template_pid,
    }
    return find[process]()
