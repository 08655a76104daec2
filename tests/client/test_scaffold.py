"""``tsb env new``: what is laid out, and where.

``tests/project/test_environments_page.py`` plays it, as docs/environments.md says.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from training_sandbox import InvalidRequest
from training_sandbox._scaffold import is_in_repository, new_environment
from training_sandbox_operator.model.catalogue import parse_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.conftest import Outcome


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return new_environment("word-hunt", None, tmp_path)


@pytest.mark.parametrize(
    "name", ["", "Chess", "-chess", "chess-", "my_game", "2048", "a.b", "x" * 64, "chess\n", "../x"]
)
def test_a_name_that_is_no_dns_label_is_refused_and_nothing_is_made(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidRequest, match=r"NAME: .* must be a DNS label"):
        new_environment(name, None, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "chess"
    mine.mkdir()
    with pytest.raises(InvalidRequest, match=r"--directory: .*chess is there already"):
        new_environment("chess", None, tmp_path)
    assert list(mine.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidRequest, match=r"--directory: .*file/chess cannot be made: Not a"):
        new_environment("chess", Path("file/chess"), tmp_path)


def test_a_directory_of_ones_own_is_taken(tmp_path: Path) -> None:
    folder = new_environment("chess", Path("games/mine"), tmp_path)
    assert folder == tmp_path / "games/mine"
    assert (folder / "src/training_sandbox_chess/environment.py").is_file()


def test_in_this_repository_it_is_put_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "sandbox_image/worker/src/training_sandbox_worker").mkdir(parents=True)
    (tmp_path / "sandbox_image/environments").mkdir()
    (tmp_path / "docs").mkdir()
    folder = new_environment("chess", None, tmp_path / "docs")
    assert folder == tmp_path / "sandbox_image/environments/chess"
    assert is_in_repository(folder)
    tools = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]
    assert tools["uv"]["sources"]["training-sandbox-worker"]["path"] == "../../worker"
    assert tools["basedpyright"]["venv"] == "chess"


def test_nothing_of_the_templates_name_is_left(made: Path) -> None:
    files = [path for path in made.rglob("*") if path.is_file()]
    assert len(files) == 11
    for path in files:
        text = f"{path.relative_to(made)}\n{path.read_text()}"
        assert not any(name in text for name in ("my-game", "my_game", "MyGame"))


def test_its_catalogue_entry_is_what_the_operator_reads(made: Path) -> None:
    values = yaml.safe_load((made / "catalogue.yaml").read_text())
    assert parse_catalogue(yaml.safe_dump(values)).names == ("word-hunt",)


def test_the_command_says_what_is_next(tmp_path: Path, tsb: Callable[..., Outcome]) -> None:
    answer = tsb("env", "new", "word-hunt", "--directory", str(tmp_path / "hunt"))
    assert answer.returncode == 0
    assert answer.stdout.splitlines()[0] == f"{tmp_path / 'hunt'} is there. Next:"
    assert answer.stdout.splitlines()[-1].endswith("training-sandbox-conformance word-hunt")
