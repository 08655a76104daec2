"""Each test runs a small program, as these functions act on the process that calls them."""

import os
import subprocess
import sys
import textwrap

import psutil
import pytest

IMPORTS = """
import os, signal, subprocess, sys, time
from training_sandbox_worker import process
"""


@pytest.fixture
def run():
    """Run a program that prints words; returns them."""

    def _run(program: str) -> list[str]:
        command = [sys.executable, "-c", IMPORTS + textwrap.dedent(program)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    return _run


def test_descendants_are_killed_wherever_they_went(run):
    words = run("""
        process.adopt_orphans()
        daemons = "setsid sleep 3600 >&- & setsid sh -c 'sleep 3600 & sleep 3600' >&- &"
        subprocess.run(["sh", "-c", daemons])
        while len(process.descendants(os.getpid())) < 4: time.sleep(0.01)
        print(*process.descendants(os.getpid()), process.kill_descendants(30))
        print(process.descendants(os.getpid()))
    """)
    *pids, killed, left = words
    assert (len(pids), killed, left) == (4, "True", "[]")
    assert not any(psutil.pid_exists(int(pid)) for pid in pids)


def test_children_are_only_the_direct_ones(run):
    words = run("""
        child = subprocess.Popen(["sh", "-c", "sleep 3600; true"])
        while len(process.descendants(os.getpid())) < 2: time.sleep(0.01)
        print(process.children(os.getpid()) == [child.pid])
        process.kill_descendants(30)
    """)
    assert words == ["True"]


def test_the_start_of_a_process_is_that_of_the_kernel(run):
    (ticks,) = run("print(process.started(os.getppid()))")
    started = psutil.Process().create_time()
    assert psutil.boot_time() + int(ticks) / os.sysconf("SC_CLK_TCK") == pytest.approx(
        started, rel=0, abs=5
    )


def test_a_process_that_has_ended_has_no_start(run):
    words = run("""
        child = subprocess.Popen(["true"])
        child.wait()
        print(process.started(child.pid))
    """)
    assert words == ["None"]


def test_a_process_dies_with_its_parent(run, wait_until):
    program = (
        "import os, signal, time; from training_sandbox_worker import process; "
        "process.die_with_parent(signal.SIGKILL, os.getppid()); "
        "print('asked', flush=True); time.sleep(3600)"
    )
    (pid,) = run(f"""
        child = subprocess.Popen([sys.executable, "-c", {program!r}], stdout=subprocess.PIPE)
        child.stdout.readline()
        print(child.pid, flush=True)
        os._exit(0)
    """)
    wait_until(lambda: not psutil.pid_exists(int(pid)))


def test_a_process_whose_parent_is_dead_already_dies_at_once(run):
    program = (
        "import signal; from training_sandbox_worker import process; "
        "process.die_with_parent(signal.SIGKILL, 1); print('alive')"
    )
    words = run(f"print(subprocess.run([sys.executable, '-c', {program!r}]).returncode)")
    assert words == ["-9"]


def test_the_threads_of_a_process_are_named(run):
    words = run("""
        import threading
        print(len(process.thread_names()))
        threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
        print(len(process.thread_names()))
    """)
    assert words == ["1", "2"]


def test_long_turns_are_those_of_a_process_that_computes(run):
    words = run("""
        process.take_long_turns()
        print(os.sched_getscheduler(0) == os.SCHED_BATCH)
    """)
    assert words == ["True"]
