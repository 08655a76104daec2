"""The databases of a world, in the memory of the zygote and of every process forked from it.

SQLite keeps such a database as one piece of memory, of which a fork copies only the pages that it
changes. What is read goes through a small cache, the only other memory that grows.

AppWorld finds a database by an app and a "home", a name with the task's id in it. A task has two
homes, its input and its output: the state before and after it is played. Both are the same database
here, until an evaluation gives the apps that have changed another output.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from training_sandbox_appworld import library
from training_sandbox_appworld.engines import change_connection, make_engine, make_tracker
from training_sandbox_appworld.replay import replay
from training_sandbox_appworld.saved_state import Change, Changes, StateTampered

_CACHE_KIB = 128
_PAGES_OF_ROOM = 16


class Databases:
    """The databases of all apps: as every task starts at first, then as one task does.

    Args:
        directory: Where `<app>.db` of every app is.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        library.module("apps.model_lib").Database._get_engine_to_details = _details  # noqa: SLF001
        apps: Sequence[str] = library.module("apps").get_all_apps()
        self._apps = {app: _AppDatabase(app, self._image(app)) for app in apps}
        self.task_id: str | None = None

    @property
    def apps(self) -> Sequence[str]:
        """The names of all apps."""
        return list(self._apps)

    def restore(self) -> None:
        """Forget the task."""
        for app, database in self._apps.items():
            database.restore(self._image(app))
        library.module("apps.model_lib").CachedDBHandler.cache = {}
        self.task_id = None

    def open(self, task_id: str) -> None:
        """Become the databases of a task as it starts.

        Raises:
            RuntimeError: They are those of a task already.
        """
        if self.task_id is not None:
            raise RuntimeError(f"the databases are those of {self.task_id} already")
        for database in self._apps.values():
            database.open(task_id)
        self.task_id = task_id

    def changes(self) -> Changes:
        """What was changed in the output since the task started, of the apps that were."""
        changes = {app: database.changes() for app, database in self._apps.items()}
        return {app: of_app for app, of_app in changes.items() if of_app}

    def count_changes(self, app: str) -> int:
        """How many changes were made of an app in the output, the task's own included."""
        return self._apps[app].count_changes()

    def make_changes(self, changes: Changes) -> Mapping[str, Mapping[str, Collection[int]]]:
        """Make changes in the output, and leave the input as it is.

        Returns:
            The ids of the rows that were touched, of each table of a model of each app.

        Raises:
            StateTampered: There is no such app, or a change cannot be made.
        """
        for app in changes:
            if app not in self._apps:
                raise StateTampered(f"there is no app {app!r}")
        return {app: self._apps[app].make_changes(of_app) for app, of_app in changes.items()}

    def states(self, app: str) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        """An app's input and output."""
        return self._apps[app].states()

    def _image(self, app: str) -> bytes:
        path = self._directory / f"{app}.db"
        with (
            closing(
                sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
            ) as file,
            closing(sqlite3.connect(":memory:")) as copy,
        ):
            file.backup(copy)
            return copy.serialize()


class _AppDatabase:
    """One app's. AppWorld uses each home by an engine of its own."""

    def __init__(self, app: str, image: bytes) -> None:
        self._app = app
        self._model_lib = library.module("apps.model_lib")
        connection = _connect(image)
        self._input, self._output = make_engine(connection), make_engine(connection)
        self._output_home = ""
        self._tracker: Any = None
        self._changes_of_task = 0

    def restore(self, image: bytes) -> None:
        self._tracker.stop()
        self._forget()
        # A new one: after another `deserialize`, SQLite would look for its functions that return
        # tables (`json_each`) where the connection's schema has been, and end the process.
        connection = _connect(image)
        for engine in (self._input, self._output):
            engine.connection.close()
            change_connection(engine, connection)

    def open(self, task_id: str) -> None:
        self._forget()
        home = self._model_lib.get_db_home_path
        changes = Path(home("disk", "task_input", task_id)) / f"{self._app}.jsonl"
        of_task = self._model_lib.apply_db_changes(self._input.connection, str(changes))
        self._changes_of_task = len(of_task)
        self._output_home = home("memory", "task_output", task_id)
        self._mount(self._input, home("memory", "task_input", task_id))
        self._tracker = self._mount(self._output, self._output_home)
        self._tracker.add_changes(of_task)
        self._tracker.start()

    def changes(self) -> list[Change]:
        return [Change(*change) for change in self._tracker.changes[self._changes_of_task :]]

    def count_changes(self) -> int:
        return len(self._tracker.changes)

    def make_changes(self, changes: Sequence[Change]) -> Mapping[str, Collection[int]]:
        """Make changes in a copy, which is the output from now on."""
        copy = _connect_to_memory()
        self._input.connection.backup(copy)
        models = library.module(f"apps.{self._app}.models").SQLModel.models()
        tables = {model.table_name for model in models}
        changed = {change.table for change in changes}
        if others := changed - tables:
            _refuse_other_spellings(others, tables)
        touched = replay(copy, changes, changed & tables)
        self._forget()
        change_connection(self._output, copy)
        return touched

    def states(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        return self._input.connection, self._output.connection

    def _forget(self) -> None:
        """Let AppWorld not think that an engine is still at the home where it was."""
        used = library.module(f"apps.{self._app}.models").SQLModel.db
        used.engine = used.tracker = used.connection = None

    def _mount(self, engine: Any, home: str) -> Any:
        """Let AppWorld find the engine at a home; returns what tracks its changes."""
        engine.home = home
        tracker = make_tracker(engine)
        path = self._model_lib.db_home_to_app_path(home, self._app)
        self._model_lib.CachedDBHandler.set(path, engine, tracker)
        return tracker


def _details(engine: Any) -> tuple[str, str, str, str, sqlite3.Connection]:
    """What AppWorld reads from the name of an engine's database, each time that it changes homes.

    Its URL, its path, its home, where it is stored, and its connection.
    """
    return "", "", engine.home, "memory", engine.connection


def _connect(image: bytes) -> sqlite3.Connection:
    connection = _connect_to_memory()
    connection.deserialize(image)
    _make_room(connection)
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


def _connect_to_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    # Its own temporary files would be files.
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _refuse_other_spellings(names: Collection[str], tables: Collection[str]) -> None:
    """Let no change of a table go unseen: to SQLite a name in other letters is the same."""
    spelt = {table.casefold() for table in tables}
    if other := next((name for name in names if name.casefold() in spelt), None):
        raise StateTampered(f"AppWorld spells the table {other!r} otherwise")


def _make_room(connection: sqlite3.Connection) -> None:
    """Let SQLite double the memory of a database now, so that a fork does not move it to grow it.

    It does so when more is written than there is memory for, and keeps it when that is undone.
    """
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE room (filler)")
    filler = (free + _PAGES_OF_ROOM) * page_bytes
    connection.execute("INSERT INTO room VALUES (zeroblob(?))", (filler,))
    connection.rollback()
