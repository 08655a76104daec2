"""Rules of the repository that no tool of others checks."""

from __future__ import annotations

import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    ).stdout
    return [REPOSITORY / name for name in listed.split("\0") if name]


def test_modules_stay_under_400_lines() -> None:
    lengths = {
        path.relative_to(REPOSITORY).as_posix(): len(path.read_text().splitlines())
        for path in tracked("*.py")
    }
    assert len(lengths) > 300
    assert {name: length for name, length in lengths.items() if length >= 400} == {}


def test_locks_name_no_address_and_carry_hashes() -> None:
    locks = tracked("locks/*.txt")
    assert len(locks) >= 5
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text
        pins = re.findall(r"^[a-z0-9][\w.-]*==.*$", text, re.MULTILINE)
        assert pins
        assert all(pin.endswith("\\") for pin in pins), lock


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(REPOSITORY)}: {target}"
        for page in tracked("*.md")
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("target", "known"),
    [("serve", "appworld bfcl"), ("env-check", "appworld bfcl"), ("demo", "webshop all")],
)
def test_make_refuses_an_environment_that_is_none_before_anything_else(
    target: str, known: str
) -> None:
    made = subprocess.run(
        ["make", "--no-print-directory", target, "ENV=nonesuch"],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert made.returncode == 2
    assert made.stdout == ""
    assert re.search(rf"^ENV=nonesuch: use one of .*{known}", made.stderr)


def documented_targets() -> set[str]:
    """The targets that pages name in commands."""
    command = re.compile(r"(?:^|`|&& |[A-Z_]+=\S+ )make ([a-z][a-z0-9-]*)", re.MULTILINE)
    return {
        target
        for page in tracked("*.md")
        for code in re.findall(r"```.*?```|`[^`\n]+`", page.read_text(), re.DOTALL)
        for target in command.findall(code)
    }


def test_make_help_lists_the_documented_targets() -> None:
    text = subprocess.run(
        ["make", "help"], capture_output=True, text=True, check=True, cwd=REPOSITORY
    ).stdout
    listed = re.findall(r"^\s*\x1b\[1m(\S+)", text, re.MULTILINE)
    documented = documented_targets()
    assert {"demo", "serve", "test-faults-short", "venv-appworld"} <= documented
    missing = [
        target
        for target in documented
        if not any(fnmatch(target, one.replace("%", "*")) for one in listed)
    ]
    assert missing == []
