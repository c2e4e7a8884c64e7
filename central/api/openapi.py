"""The OpenAPI 3.1 document, made from the table of operations and the models that really check and answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from cast_http.problems import phrase
from central.api.operations import Access, Operation
from central.api.problems import Problem
from central.ids import ID_PATTERN

_REFERENCES: Final = "#/components/schemas/{model}"

_SECURITY: Final[dict[Access, list[dict[str, list[str]]]]] = {
    Access.OPEN: [],
    Access.LOCAL: [{"key": []}, {"api_key": []}, {}],
    Access.MEDIAMTX: [{"shared_secret": []}, {}],
    Access.ENROL: [{"key": []}, {"api_key": []}],
    Access.DEVICE: [{"key": []}, {"api_key": []}],
    Access.ADMIN: [{"key": []}, {"api_key": []}],
}

_PREFER: Final[dict[str, Any]] = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "deprecated": True,
    "description": "What was answered before 0.2: 200 with a body instead of 204.",
    "schema": {"type": "string", "enum": ["return=representation"]},
}

_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "id": {"type": "string", "pattern": ID_PATTERN},
    "stream": {
        "type": "string",
        "minLength": 1,
        "maxLength": 100,
        "description": "Its id; to read it while it is on, its join code does as well.",
    },
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document, in a stable order."""
    schemas, definitions = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    problems = sorted(
        {status for operation in operations for status in _statuses(operation) if status not in operation.answers}
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cast-central",
            "version": version("cast-agent"),
            "description": "What boxes report to, and what publishers are checked against.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": {_problem_name(status): _problem(status, schemas) for status in problems},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An admin key (ak_), the secret of the API (API_SECRET), a device token (dt_) or an "
                    "enrolment token (et_).",
                },
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same."},
                "shared_secret": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any user name and the shared secret; not needed from this machine itself.",
                },
            },
        },
    }


def as_text(operations: Sequence[Operation]) -> str:
    return json.dumps(document(operations), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


Schemas = dict[tuple[type[BaseModel], JsonSchemaMode], dict[str, Any]]


def _schemas(operations: Sequence[Operation]) -> tuple[Schemas, dict[str, Any]]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
    for operation in operations:
        if operation.body is not None:
            wanted[operation.body, "validation"] = None
        for model in operation.answers.values():
            if model is not None:
                wanted[model, "serialization"] = None
    schemas, top = models_json_schema(list(wanted), ref_template=_REFERENCES)
    return {key: schemas[key] for key in wanted}, top["$defs"]


def _operation(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": _SECURITY[operation.access],
        "responses": {str(status): _answer(operation, status, schemas) for status in _statuses(operation)},
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    query = operation.query.model_json_schema(ref_template=_REFERENCES)
    for name, schema in query.get("properties", {}).items():
        parameters.append({"name": name, "in": "query", "required": False, "schema": _plain(schema, query)})
    if operation.quiet:
        parameters.append(_PREFER)
    if parameters:
        made["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": schemas[operation.body, "validation"]}}
        if operation.form:
            content["application/x-www-form-urlencoded"] = content["application/json"]
        made["requestBody"] = {"required": True, "content": content}
    return made


def _plain(schema: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not there, never null; and it names no schema of its own."""
    one = next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)
    if "$ref" in one:
        one = query["$defs"][one["$ref"].rpartition("/")[2]]
    kept = {**one, **({"description": schema["description"]} if "description" in schema else {})}
    return {name: value for name, value in kept.items() if name not in ("title", "default") or value is not None}


def _statuses(operation: Operation) -> list[int]:
    found = {*operation.answers, *operation.errors, 422, 500}
    if operation.access is not Access.OPEN:
        found |= {401, 503}
    if operation.access in (Access.ENROL, Access.DEVICE, Access.ADMIN):
        found.add(403)
    if operation.body is not None:
        found |= {400, 408, 413}
    return sorted(found)


def _answer(operation: Operation, status: int, schemas: Schemas) -> dict[str, Any]:
    if status not in operation.answers:
        return {"$ref": f"#/components/responses/{_problem_name(status)}"}
    made: dict[str, Any] = {"description": phrase(status)}
    if (model := operation.answers[status]) is not None:
        made["content"] = {"application/json": {"schema": schemas[model, "serialization"]}}
    return made


def _problem(status: int, schemas: Schemas) -> dict[str, Any]:
    content = {"schema": schemas[Problem, "serialization"]}
    made: dict[str, Any] = {
        "description": phrase(status),
        "content": {"application/json": content, "application/problem+json": content},
    }
    if status in (429, 503):
        made["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return made


def _problem_name(status: int) -> str:
    return f"problem_{status}"
