"""The part of the reference about the JSON interface: the OpenAPI description that the pages serve."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from bench.reference.tables import code, codes, table
from paperboy.web.api import router


def text() -> str:
    """A section for each endpoint, with its fields and its answers."""
    pages = FastAPI()
    pages.include_router(router)
    description = pages.openapi()
    return "\n".join(
        _section(f"{method.upper()} {path}", operation, description["components"]["schemas"])
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    )


def _section(name: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    wanted = _schema(operation["requestBody"]["content"]["application/json"]["schema"], schemas)
    fields = table(("field", "meaning", "values", "default"), _fields(wanted, schemas))
    answers = sorted(operation["responses"].items())
    rows = ((code(status), answer["description"], _body(answer, schemas)) for status, answer in answers)
    parts = [
        f"## {name}",
        operation["description"],
        fields.strip(),
        table(("answer", "meaning", "body"), rows),
    ]
    return "\n\n".join(parts)


def _schema(reference: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    return dict(schemas[reference["$ref"].rpartition("/")[2]])


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, field in schema["properties"].items():
        chosen = _schema(field, schemas) if "$ref" in field else field
        values = (
            codes(chosen["enum"]) if "enum" in chosen else f"text of at most {field['maxLength']} characters"
        )
        default = "required" if name in schema["required"] else code(field["default"])
        yield code(name), field["description"], values, default


def _body(answer: dict[str, Any], schemas: dict[str, Any]) -> str:
    schema = _schema(answer["content"]["application/json"]["schema"], schemas)
    return ", ".join(
        f"{code(name)}: {'a text' if field['type'] == 'string' else 'a list of ' + _names(field, schemas)}"
        for name, field in schema["properties"].items()
    )


def _names(field: dict[str, Any], schemas: dict[str, Any]) -> str:
    return codes(_schema(field["items"], schemas)["properties"])
