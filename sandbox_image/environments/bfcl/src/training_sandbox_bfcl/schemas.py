"""The JSON schemas of the tools, from the package's descriptions of them."""

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from training_sandbox_bfcl import library
from training_sandbox_bfcl.data import CLASSES, read_lines

Schemas = Mapping[str, Mapping[str, str]]
"""The schemas of each class: a tool in OpenAI's form, as JSON, by the function's name."""

_FOLDER = "multi_turn_func_doc"

_HINT = " Note that the provided function is in Python 3 syntax."


def read_schemas(folder: Path) -> Schemas:
    """The schemas of the classes that multi-turn tasks have, in the order of the package's files.

    Args:
        folder: The data folder.
    """
    return {
        class_name: {
            document["name"]: as_tool(document)
            for document in map(json.loads, read_lines(folder / _FOLDER / file))
        }
        for class_name, file in library.documentation_files().items()
        if class_name in CLASSES
    }


def as_tool(document: Any) -> str:
    """The tool that a function is, as JSON, from the package's description of it.

    It is as the package itself makes a tool for a model that calls functions in OpenAI's form; only
    that dots stay in its name.
    """
    types: Mapping[str, str] = library.module("constants.type_mappings").GORILLA_TO_OPENAPI
    function = deepcopy(document)
    function["description"] += _HINT
    function["parameters"]["type"] = "object"
    _translate_all(function["parameters"]["properties"], types)
    return json.dumps({"type": "function", "function": function}, ensure_ascii=False)


def _translate_all(properties: Any, types: Mapping[str, str]) -> None:
    for schema in properties.values():
        _translate(schema, types)


def _translate(schema: Any, types: Mapping[str, str]) -> None:
    if schema.get("type") == "float":
        schema["format"] = "float"
        if "description" in schema:
            schema["description"] += " This is a float type value."
    schema["type"] = types.get(schema.get("type"), "string")
    _translate_all(schema.get("properties", {}), types)
    if "items" in schema:
        _translate(schema["items"], types)
