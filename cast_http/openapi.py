"""The OpenAPI 3.1 document of a service, made from its table of calls and the models that really check and answer."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import pairwise
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core.core_schema import ModelSchema

from cast_http.operations import Link, Operation
from cast_http.problems import ProblemBase, phrase

OperationT = TypeVar("OperationT", bound=Operation[Any, Any])

_REFERENCES: Final = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class Service(Generic[OperationT]):
    """The parts of the document that do not come from the table of calls."""

    title: str
    description: str
    problem: type[ProblemBase]
    """The model of every error."""
    schemes: Mapping[str, Mapping[str, Any]]
    """The ways to say who one is, as OpenAPI describes security schemes."""
    security: Mapping[Any, Sequence[Mapping[str, list[str]]]]
    """The schemes that open each kind of access."""
    path_parameters: Mapping[str, Mapping[str, Any]]
    """The schema of each name in a path."""
    refusals: Callable[[OperationT], Collection[int]]
    """The statuses of problems that follow from who may make a call."""
    messages: tuple[type[BaseModel], ...] = ()
    """Models of other messages, such as events."""
    media_types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The schema of what is not JSON, where there is one."""


def document(service: Service[OperationT], operations: Sequence[OperationT]) -> dict[str, Any]:
    """The whole document, in a stable order."""
    return _Writer(service, operations).document()


def as_text(service: Service[OperationT], operations: Sequence[OperationT]) -> str:
    """The document as text, in the form that is served and stored."""
    return json.dumps(document(service, operations), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class _Schemas(GenerateJsonSchema):
    """Describes fields by the strings below them. Pydantic could do so, too, but whenever a model is imported."""

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        fields = made.get("properties", {})
        for name, text in _docstrings(schema["cls"]):
            if name in fields:
                fields[name].setdefault("description", text)
        return made


class _Writer(Generic[OperationT]):
    def __init__(self, service: Service[OperationT], operations: Sequence[OperationT]) -> None:
        self._service = service
        self._operations = operations
        wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(service.problem, "serialization"): None}
        for operation in operations:
            if operation.body is not None:
                wanted[operation.body, "validation"] = None
            for answer in operation.answers.values():
                if isinstance(answer, type):
                    wanted[answer, "serialization"] = None
        wanted |= {(message, "serialization"): None for message in service.messages}
        self._schemas, top = models_json_schema(list(wanted), ref_template=_REFERENCES, schema_generator=_Schemas)
        self._definitions: dict[str, Any] = top["$defs"]

    def document(self) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for operation in self._operations:
            paths.setdefault(operation.template, {})[operation.method.lower()] = self._operation(operation)
        problems = {
            status for each in self._operations for status in self._statuses(each) if status not in each.answers
        }
        return {
            "openapi": "3.1.0",
            "info": {
                "title": self._service.title,
                "version": version("cast-agent"),
                "description": self._service.description,
            },
            "paths": paths,
            "components": {
                "schemas": self._definitions,
                "responses": {_problem_name(status): self._problem(status) for status in sorted(problems)},
                "securitySchemes": dict(self._service.schemes),
            },
        }

    def _operation(self, operation: OperationT) -> dict[str, Any]:
        made: dict[str, Any] = {
            "operationId": operation.name,
            "summary": operation.summary,
            "security": self._service.security[operation.access],
            "responses": {str(status): self._answer(operation, status) for status in self._statuses(operation)},
        }
        if parameters := [*self._parameters(operation), *operation.headers]:
            made["parameters"] = parameters
        if operation.body is not None:
            content = {"application/json": {"schema": self._schemas[operation.body, "validation"]}}
            if operation.form:
                content["application/x-www-form-urlencoded"] = content["application/json"]
            made["requestBody"] = {"required": operation.body_required, "content": content}
        elif operation.upload:
            made["requestBody"] = {"required": True, "content": {operation.upload: {}}}
        return made

    def _parameters(self, operation: OperationT) -> Iterable[dict[str, Any]]:
        for name in re.findall(r"{(\w+)}", operation.template):
            yield {"name": name, "in": "path", "required": True, "schema": self._service.path_parameters[name]}
        query = operation.query.model_json_schema(ref_template=_REFERENCES, schema_generator=_Schemas)
        for name, schema in query.get("properties", {}).items():
            yield {"name": name, "in": "query", "required": False, "schema": _plain(schema, query)}

    def _statuses(self, operation: OperationT) -> list[int]:
        found = {*operation.answers, *operation.errors, *self._service.refusals(operation), 400, 422, 500}
        if operation.body is not None or operation.upload:
            found |= {408, 413}
        if operation.timeout_s is not None:
            found.add(504)
        return sorted(found)

    def _answer(self, operation: OperationT, status: int) -> dict[str, Any]:
        if status not in operation.answers:
            return {"$ref": f"#/components/responses/{_problem_name(status)}"}
        made: dict[str, Any] = {"description": phrase(status)}
        answer = operation.answers[status]
        if isinstance(answer, str):
            made["content"] = {kind: dict(self._service.media_types.get(kind, {})) for kind in answer.split(", ")}
        elif answer is not None:
            made["content"] = {"application/json": {"schema": self._schemas[answer, "serialization"]}}
            if operation.other_type:
                made["content"][operation.other_type] = dict(self._service.media_types.get(operation.other_type, {}))
            if operation.links:
                made["links"] = {link.call: _link(link) for link in operation.links}
        return made

    def _problem(self, status: int) -> dict[str, Any]:
        content = {"schema": self._schemas[self._service.problem, "serialization"]}
        made: dict[str, Any] = {
            "description": phrase(status),
            "content": {"application/json": content, "application/problem+json": content},
        }
        if status in (429, 503):
            made["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
        return made


def _link(link: Link) -> dict[str, Any]:
    made: dict[str, Any] = {"operationId": link.call}
    for name, members in (("parameters", link.parameters), ("requestBody", link.body)):
        if members:
            made[name] = {place: f"$response.body#/{member}" for place, member in members.items()}
    return made


def _docstrings(model: type[BaseModel]) -> Iterable[tuple[str, str]]:
    """The name of each field with the string below it, those of the model itself before inherited ones."""
    for each in model.__mro__:
        if issubclass(each, BaseModel) and not each.__module__.startswith("pydantic"):
            yield from _fields_of(each.__module__).get(each.__name__, ())


@functools.cache
def _fields_of(module: str) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The same for each class of a module, read once: to find one class in its source takes as long as all of them."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: [*_strings_below(node)] for node in tree.body if isinstance(node, ast.ClassDef)}


def _strings_below(definition: ast.ClassDef) -> Iterable[tuple[str, str]]:
    for field_, below in pairwise(definition.body):
        match field_, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, re.sub(r"\bNone\b", "null", " ".join(text.split()))


def _plain(schema: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter, which is there or not there, never null; and it names no schema of its own."""
    one = next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)
    if "$ref" in one:
        one = query["$defs"][one["$ref"].rpartition("/")[2]]
    kept = {**one, **({"description": schema["description"]} if "description" in schema else {})}
    return {name: value for name, value in kept.items() if name not in ("title", "default") or value is not None}


def _problem_name(status: int) -> str:
    return f"problem_{status}"
