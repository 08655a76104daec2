"""Plays a task in the zygote before any fork, so that its episodes need not import or compile.

It calls nearly every API, because what a call loads and compiles is shared by all forks.

The evaluation has a made-up truth: nothing that is expected of a task gets into the memory that
agent code will run in.
"""

import contextlib
from collections.abc import Generator, Mapping
from copy import copy
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from training_sandbox_appworld import evaluation, library, live_world
from training_sandbox_appworld.databases import Databases
from training_sandbox_appworld.live_world import LiveWorld
from training_sandbox_appworld.world import evaluation as tests_of_a_task

_CODE = (
    """
accounts = {a['account_name']: a['password'] for a in apis.supervisor.show_account_passwords()}
profile = apis.supervisor.show_profile()
print(profile)
print(apis.api_docs.show_app_descriptions())
print(apis.api_docs.show_api_doc(app_name='venmo', api_name='create_transaction'))
tokens = {}
for app, password in accounts.items():
    username = profile['phone_number' if app == 'phone' else 'email']
    tokens[app] = apis[app].login(username=username, password=password)['access_token']
""",
    "print([word for word in sorted({'one', 'two'}) if len(word) == 3]); len(tokens)",
    "apis.venmo.show_transaction(transaction_id=-1, access_token=tokens['venmo'])",
    "apis.spotify.no_such_api()",
    "def divide(a, b):\n    return a / b\ndivide(1, 0)",
    "print(",
    "import no_such_module",
)

_LEFT_OUT = (
    # They would spoil the calls after them, and a token that is logged out stays so.
    *("logout", "delete_account"),
    # They read all products, for seconds.
    *("write_product_review", "update_product_review", "delete_product_review"),
)

_MADE_UP: Mapping[str, object] = {"string": "a", "integer": 1, "number": 1.0, "boolean": True}
_FEW = 3


def rehearse(databases: Databases, task_id: str) -> None:
    """Open, play and evaluate a task in this process.

    A world cannot be used twice: everything that is left must be forgotten.

    Args:
        databases: Not open.
        task_id: Any task.
    """
    world = live_world.make_world(databases, task_id)
    for code in _CODE:
        world.execute(code)
    _call_apis(world)
    world.execute("apis.supervisor.complete_task()")
    world.task_completed()
    _make_validators(databases)
    evaluation.evaluate(databases, task_id, databases.changes(), _made_up_truth(task_id))


def _call_apis(world: LiveWorld) -> None:
    """Call what only looks first; the ids that are found there are arguments of other calls."""
    tokens = cast("Mapping[str, str]", world.shell.user_ns.get("tokens", {}))
    apis = [
        (app, api, doc)
        for app, docs in world.task.api_docs.items()
        for api, doc in docs.items()
        if api not in _LEFT_OUT
    ]
    found: dict[str, object] = {}
    for app, api, doc in sorted(apis, key=lambda one: one[2]["method"] != "GET"):
        arguments = {
            parameter["name"]: found.get(parameter["name"], _MADE_UP.get(parameter["type"]))
            for parameter in doc["parameters"]
            if parameter["required"] or parameter["name"] == "query"
        }
        if "access_token" in arguments:
            arguments["access_token"] = tokens.get(app)
        # Many of the made-up arguments are not accepted, which has to be compiled as well.
        with contextlib.suppress(Exception):
            _collect_ids(world.requester.request(app, api, **arguments), found)


def _collect_ids(response: object, found: dict[str, object]) -> None:
    if isinstance(response, list):
        for item in cast("list[object]", response)[:_FEW]:
            _collect_ids(item, found)
    elif isinstance(response, dict):
        fields = cast("dict[str, object]", response)
        found.update({name: value for name, value in fields.items() if name.endswith("_id")})


def _make_validators(databases: Databases) -> None:
    """AppWorld derives a class from each model when a row of it is first created."""
    with _fields_are_shared():
        for app in databases.apps:
            for model in library.module(f"apps.{app}.models").SQLModel.models():
                model.validator()


@contextlib.contextmanager
def _fields_are_shared() -> Generator[None]:
    """Let a derived class have its fields' parts from its base, of which validators change none.

    Pydantic copies them to the last, which takes seconds for all models.
    """
    field: Any = import_module("pydantic.fields").ModelField

    def copied(one: object, _: object) -> object:
        return copy(one)

    field.__deepcopy__ = copied
    try:
        yield
    finally:
        del field.__deepcopy__


def _made_up_truth(task_id: str) -> Any:
    expected = {
        "changed_models": [],
        "records": [
            {"model": model, "added": [{"id": 1}], "updated": []}
            for model in ("venmo.Transaction", "spotify.SongLike", "simple_note.Note")
        ],
    }
    truth = library.module("ground_truth").GroundTruth(
        task_id=task_id,
        required_apps=[],
        public_data={},
        private_data=expected,
        answer="made up",
        evaluation_code="",
        solution_code="",
        compiled_solution_code="",
        generator_code="",
        metadata={"difficulty": 1, "num_solution_code_lines": 1, "num_apis": 1},
    )
    truth.loaded_from_directory = str(Path(tests_of_a_task.__file__).parent)
    return truth
