"""The JSON schemas of the tools, from the package's descriptions of them."""

import json
from collections.abc import Mapping
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
    types: Mapping[str, str] = library.module("constants.type_mappings").GORILLA_TO_OPENAPI
    return {
        class_name: {
            document["name"]: json.dumps(_tool(document, types), ensure_ascii=False)
            for document in map(json.loads, read_lines(folder / _FOLDER / file))
        }
        for class_name, file in library.documentation_files().items()
        if class_name in CLASSES
    }


def _tool(document: Any, types: Mapping[str, str]) -> object:
    """As the package itself makes a tool for a model that calls functions in OpenAI's form."""
    document["description"] += _HINT
    document["parameters"]["type"] = "object"
    _translate_all(document["parameters"]["properties"], types)
    return {"type": "function", "function": document}


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
