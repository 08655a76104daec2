"""IPython shells that leave no file anywhere."""

import sys
from tempfile import TemporaryDirectory

from IPython.terminal import embed
from traitlets.config.loader import Config

from training_sandbox_appworld import library


def use_for_worlds() -> None:
    """Let AppWorld have its shells from here."""
    library.module("environment").InteractiveShellEmbed = _make


def _make(config: Config) -> embed.InteractiveShellEmbed:
    """What AppWorld calls in place of the class."""
    # The shell that code gets by `IPython.get_ipython` is the first that was made.
    embed.InteractiveShellEmbed.clear_instance()
    excepthook = sys.excepthook
    # A shell makes the folders of a profile when it is made, and can do without them afterwards.
    with TemporaryDirectory(prefix="ipython-") as directory:
        shell = embed.InteractiveShellEmbed(  # noqa: T100 (AppWorld's shell, no debugger)
            config=config, ipython_dir=directory
        )
    sys.excepthook = excepthook
    return shell
