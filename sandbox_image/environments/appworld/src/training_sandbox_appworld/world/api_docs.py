"""The documentation of all APIs, which AppWorld keeps beside a world's data."""

import json
from pathlib import Path

from training_sandbox_appworld import library
from training_sandbox_appworld.world.tables import Table

_CANARY = "A synthetic world: no canary."


def write_api_docs(directory: Path) -> Table:
    """Write `<app>.json` of every app that agents see.

    Returns:
        The same documentation as rows of `api_docs.ApiDoc`, which agents read it from.
    """
    table = Table()
    apps: list[str] = library.module("apps").get_all_apps(skip_admin=True)
    for app in apps:
        docs: list[dict[str, object]] = library.module("api_docs").prepare_api_docs(app)
        by_name = {str(doc["api_name"]): {**doc, "canary_string": _CANARY} for doc in docs}
        (directory / f"{app}.json").write_text(json.dumps(by_name, indent=1))
        for doc in docs:
            row = dict(doc)
            row["app_name_"] = row.pop("app_name")
            table.rows.append(row)
            name = str(doc["api_name"]).replace("_", " ")
            table.search_texts.append(f"{app} {name} {doc['description']}")
    return table
