"""The databases of a world, written through AppWorld's own models.

AppWorld compares states of a world by a hash in every row, and finds text in separate tables; so
rows are built by its models, and only their insertion is done in bulk.
"""

from pathlib import Path
from typing import Any

from training_sandbox_appworld import library
from training_sandbox_appworld.world.apps.accounts import addresses_of, card_of
from training_sandbox_appworld.world.families import Draft
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import Table


def all_apps() -> list[str]:
    """The names of all apps that have a database, `admin` and `supervisor` among them."""
    return list(library.module("apps").get_all_apps())


class BaseDatabases:
    """The databases that all tasks start from, one file an app.

    Args:
        directory: Where the files are made; it must exist.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        self._models: Any = library.module("collections.models").ModelCollection.load(
            to_db_home_path=self._directory,
            from_db_home_path=self._directory,
            force_empty_apps=all_apps(),
            create_db=True,
        )

    def insert(self, name: str, table: Table) -> None:
        """Insert the rows of a table, named `app.Model`; their ids count from 1."""
        from sqlalchemy import insert, text  # noqa: PLC0415 (comes with AppWorld, not before)

        app, model_name = name.split(".")
        model = self._models[app][model_name]
        records: list[dict[str, object]] = []
        for row_id, row in enumerate(table.rows, start=1):
            record = model(id=row_id, **row)
            record.set_record_hash()
            records.append(record.dict())
        searchable = [
            {"id": row_id, "text": " ".join(search_text.lower().split())}
            for row_id, search_text in enumerate(table.search_texts, start=1)
        ]
        with model.db.engine.begin() as connection:
            connection.execute(insert(model.__table__), records)
            if searchable:
                into = f"INSERT INTO {model.table_name}_fts (id, saved_search_text)"
                connection.execute(text(f"{into} VALUES (:id, :text)"), searchable)

    def close(self) -> None:
        """Close the files."""
        self._models.close()


def write_task_changes(base: Path, directory: Path, task_id: str, draft: Draft) -> None:
    """Write what a task adds to the base databases: the supervisor, and what they ask.

    Args:
        base: The directory of the base databases.
        directory: Where `<app>.jsonl` of every app goes; empty for apps that nothing is added to.
        task_id: The task.
        draft: Its content.
    """
    models: Any = library.module("collections.models").ModelCollection.load(
        to_db_home_path=f":memory:task_input-{task_id}",
        from_db_home_path=str(base),
        load_apps=["supervisor"],
    )
    _add_supervisor(models.supervisor, draft.supervisor)
    models.supervisor.Task.create_save(supervisor_id=1, instruction=draft.instruction)
    models.save(db_home_path=str(directory), format="changes", app_names=["supervisor"])
    models.close()
    for app in all_apps():
        (directory / f"{app}.jsonl").touch()


def _add_supervisor(models: Any, person: Person) -> None:
    models.Supervisor.create_save(
        first_name=person.first_name,
        last_name=person.last_name,
        email=person.email,
        phone_number=person.phone_number,
        birthday=person.birthday,
        sex=person.sex,
    )
    for name, address in addresses_of(person).items():
        models.Address.create_save(supervisor_id=1, name=name, **address)
    models.PaymentCard.create_save(supervisor_id=1, **card_of(person))
    for app, password in person.passwords.items():
        models.AccountPassword.create_save(supervisor_id=1, account_name=app, password=password)
