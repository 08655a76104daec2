"""What a jail is where the kernel or the container lacks a protection, and how it says so."""

import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from training_sandbox_worker.jail import (
    Confinement,
    landlock,
    privileges,
    probe,
    seccomp,
    system_calls,
)

NOTHING = Confinement(landlock_abi=0, seccomp=False, fork_gate=False)
ONLY_LANDLOCK = Confinement(landlock_abi=6, seccomp=False, fork_gate=False)
ONLY_SECCOMP = Confinement(landlock_abi=0, seccomp=True, fork_gate=True)
NO_GATE = Confinement(landlock_abi=6, seccomp=True, fork_gate=False)


def probe_where(in_child, **refused: int) -> Confinement:
    """What is found in a container that refuses some calls, each by an errno."""

    def _probe():
        privileges.no_new_privileges()
        rules = [seccomp.Rule(call, seccomp.refuse(number)) for call, number in refused.items()]
        program = seccomp.compile_program(rules, otherwise=seccomp.ALLOW)
        seccomp.install(program, listen=False)
        found = probe()
        return found.landlock_abi, found.seccomp, found.fork_gate, found.missing

    return Confinement(*in_child(_probe).returned)


def test_all_of_it_is_found_here(confinement):
    assert confinement.missing == ()
    assert confinement.landlock_abi >= 6
    assert (confinement.seccomp, confinement.fork_gate) == (True, True)


def test_probing_leaves_the_process_as_it_was(in_child):
    def _probe_and_look():
        descriptors = os.listdir("/proc/self/fd")
        probe()
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        socket.socket().close()
        return descriptors == os.listdir("/proc/self/fd")

    assert in_child(_probe_and_look).returned is True


def test_a_container_without_landlock_is_found_out(in_child):
    found = probe_where(in_child, landlock_create_ruleset=errno.ENOSYS)
    assert (found.landlock_abi, found.seccomp, found.fork_gate) == (0, True, True)
    (sentence,) = found.missing
    assert sentence == (
        "no Landlock (landlock version: Function not implemented): "
        "agent code can read and write what the server's user can"
    )


def test_a_container_without_seccomp_is_found_out(in_child):
    found = probe_where(in_child, seccomp=errno.EPERM)
    assert (found.landlock_abi >= 6, found.seccomp, found.fork_gate) == (True, False, False)
    (sentence,) = found.missing
    assert sentence.startswith("no seccomp filter (")


def test_a_container_without_notifications_is_found_out(in_child):
    found = probe_where(in_child, ioctl=errno.ENOTTY)
    assert (found.seccomp, found.fork_gate) == (True, False)
    (sentence,) = found.missing
    assert sentence.startswith("no seccomp notifications (")


def test_a_container_without_processes_is_found_to_have_nothing(in_child):
    found = probe_where(in_child, clone=errno.EPERM, clone3=errno.ENOSYS)
    assert found.landlock_abi == 0
    assert len(found.missing) == 2


def test_a_system_without_libseccomp_is_found_out(monkeypatch):
    def _library():
        raise OSError("libseccomp.so.2: cannot open shared object file")

    monkeypatch.setattr(seccomp, "_library", _library)
    (sentence,) = probe().missing
    assert "libseccomp.so.2" in sentence


@pytest.mark.parametrize(
    ("abi", "sentence"),
    [
        (1, "Landlock ABI 1 < 3: agent code can empty files that the server's user can write"),
        (3, None),
        (6, None),
    ],
)
def test_older_landlock_is_told_where_it_matters(abi, sentence, monkeypatch):
    monkeypatch.setattr(landlock, "abi", lambda: abi)
    assert probe().missing == ((sentence,) if sentence else ())


@pytest.mark.parametrize("abi", range(1, 7))
def test_older_landlock_confines_files(abi, prepare, run_in, tmp_path):
    jail = prepare(confinement=Confinement(landlock_abi=abi, seccomp=True, fork_gate=True))
    assert run_in(jail, lambda: os.listdir(tmp_path)).raised == "PermissionError"
    assert run_in(jail, lambda: (tmp_path / "new").write_text("")).raised == "PermissionError"
    assert run_in(jail, lambda: Path(os.devnull).write_text("")).raised is None


def test_landlock_alone_confines_files_connections_and_signals(prepare, run_in, tmp_path):
    jail = prepare(confinement=ONLY_LANDLOCK)
    assert run_in(jail, lambda: os.listdir(tmp_path)).errno == errno.EACCES
    assert run_in(jail, lambda: os.mkdir(tmp_path / "new")).errno == errno.EACCES
    assert run_in(jail, lambda: os.execv("/bin/true", ["true"])).errno == errno.EACCES
    assert run_in(jail, lambda: os.kill(os.getppid(), 0)).errno == errno.EPERM
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        assert run_in(jail, lambda: socket.create_connection(address)).errno == errno.EACCES
        assert run_in(jail, socket.socket().fileno).raised is None


def test_landlock_alone_confines_abstract_sockets(prepare, run_in, in_child):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(b"\0jail-test")
        server.listen()

        def _connect():
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(b"\0jail-test")

        assert run_in(prepare(confinement=ONLY_LANDLOCK), _connect).errno == errno.EPERM
        assert in_child(_connect).raised is None


def test_seccomp_alone_confines_all_but_files(prepare, run_in, tmp_path):
    jail = prepare(confinement=ONLY_SECCOMP)
    assert run_in(jail, lambda: os.listdir(tmp_path)).returned == []
    assert run_in(jail, socket.socket).errno == errno.EPERM
    assert run_in(jail, os.fork).errno == errno.EPERM
    assert run_in(jail, lambda: os.mkdir(tmp_path / "new")).errno == errno.EPERM


def test_limits_and_descriptors_need_neither(prepare, run_in, tmp_path):
    jail = prepare(confinement=NOTHING, memory_bytes=64 << 20)
    assert run_in(jail, lambda: bytearray(128 << 20)).raised == "MemoryError"
    with open(tmp_path / "file", "wb") as file:
        assert run_in(jail, lambda: os.readlink(f"/proc/self/fd/{file.fileno()}")).returned == (
            "/dev/null"
        )
    assert run_in(jail, lambda: (tmp_path / "new").write_text("content")).errno == errno.EFBIG


def test_without_notifications_a_gated_jail_denies_processes(prepare, run_in):
    jail = prepare(confinement=NO_GATE, gated=True)

    def _run_thread():
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        return "joined"

    assert run_in(jail, os.fork).errno == errno.EPERM
    assert run_in(jail, _run_thread, hand_over=os.abort).returned == "joined"


def test_a_protection_that_fails_is_an_error_not_a_weaker_jail(prepare, in_child):
    jail = prepare(confinement=ONLY_SECCOMP)

    def _enter_where_it_is_refused():
        privileges.no_new_privileges()
        rules = [seccomp.Rule("seccomp", seccomp.refuse(errno.EACCES))]
        program = seccomp.compile_program(rules, otherwise=seccomp.ALLOW)
        seccomp.install(program, listen=False)
        jail.enter(range(3, 100))

    assert in_child(_enter_where_it_is_refused).errno == errno.EACCES


def test_the_rules_hold_on_the_other_architecture_too():
    """Names that it does not have are left out; none is misspelt."""
    calls = {rule.call for gated in (False, True) for rule in system_calls.rules(gated=gated)}
    names = [call for call in calls if isinstance(call, str)]
    assert [name for name in names if seccomp.call_number(name) == -1] == []
