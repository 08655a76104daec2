import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from training_sandbox_webshop.catalogue.__main__ import main
from training_sandbox_webshop.environment import WebShopEnvironment
from training_sandbox_webshop.session import Session
from training_sandbox_webshop.shop import ROOT_VARIABLE, Shop


@dataclass(frozen=True, slots=True)
class Made:
    """What a command came to."""

    returncode: int
    stderr: str


Make = Callable[..., Made]


@pytest.fixture(scope="session")
def make() -> Make:
    """The command that makes catalogues, in this process."""

    def run(*arguments: object) -> Made:
        stderr, status = StringIO(), 0
        with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(StringIO()):
            try:
                main([str(argument) for argument in arguments])
            except SystemExit as end:
                status = int(end.code or 0)
        return Made(status, stderr.getvalue())

    return run


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory, make: Make) -> Path:
    """A small catalogue."""
    root = tmp_path_factory.mktemp("catalogue")
    made = make("--root", root, "--products", 240)
    assert made.returncode == 0, made.stderr
    return root


@pytest.fixture(scope="session")
def shop(root: Path) -> Shop:
    return Shop(root)


@pytest.fixture
def session(shop: Shop) -> Session:
    """A visit that has just begun."""
    return Session(shop, shop.instruction(0), show_attributes=False)


@pytest.fixture(scope="session")
def load_environment() -> Callable[[Path], WebShopEnvironment]:
    def load(root: Path) -> WebShopEnvironment:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(ROOT_VARIABLE, str(root))
            environment = WebShopEnvironment()
        environment.preload()
        return environment

    return load


@pytest.fixture(scope="session")
def environment(
    root: Path, load_environment: Callable[[Path], WebShopEnvironment]
) -> WebShopEnvironment:
    """The small catalogue as an environment."""
    return load_environment(root)
