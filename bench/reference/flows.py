"""The part of the reference about flows: prefect.yaml, and the parameters of the flows that it names."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from bench.reference.tables import code, codes, table

KINDS = {"string": "text", "integer": "number", "boolean": "`true` or `false`", "null": ""}
ROOT = Path(__file__).parents[2]


def text() -> str:
    """A table of the deployments, and a section for each flow."""
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    rows = [_row(deployment) for deployment in deployments]
    overview = table(("deployment", "schedule (cron)", "parameters", "at once", "tags", "meaning"), rows)
    flows = {flow.name: flow for flow in map(_flow, deployments)}
    return "\n".join([f"## Deployments\n\n{overview}", *map(_section, flows.values())])


def _flow(deployment: dict[str, Any]) -> Any:
    module, _, name = deployment["entrypoint"].partition(":")
    return getattr(import_module(module.removesuffix(".py").replace("/", ".")), name)


def _row(deployment: dict[str, Any]) -> tuple[str, ...]:
    schedules = deployment.get("schedules", [])
    limit = deployment.get("concurrency_limit", "")
    return (
        code(f"{_flow(deployment).name}/{deployment['name']}"),
        codes(schedule["cron"] for schedule in schedules) or "none",
        ", ".join(code(f"{name}: {value}") for name, value in deployment.get("parameters", {}).items()),
        str(limit["limit"] if isinstance(limit, dict) else limit) or "any",
        codes(deployment["tags"]),
        deployment["description"],
    )


def _section(flow: Any) -> str:
    sentences = " ".join(flow.fn.__doc__.partition("Args:")[0].split())
    fields = table(("parameter", "meaning", "values", "default"), _parameters(flow))
    return f"## {flow.name}\n\n{sentences}\n\n{fields}"


def _parameters(flow: Any) -> Iterator[tuple[str, ...]]:
    schema = flow.parameters.model_dump()
    for name, field in schema["properties"].items():
        if not field.get("description"):
            raise ValueError(f"the flow {flow.name} does not say what its parameter {name} is for")
        default = "required" if name in schema["required"] else _default(field.get("default"))
        meaning = " ".join(field["description"].split())
        yield code(name), meaning, _values(field, schema["definitions"]), default


def _default(value: object) -> str:
    if value in (None, "", []):
        return ""
    return code(str(value).lower() if isinstance(value, bool) else value)


def _values(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What a value may be, by its JSON schema."""
    if "anyOf" in field:
        kinds = [_values(kind, definitions) for kind in field["anyOf"] if kind.get("const") != ""]
        return " or ".join(filter(None, kinds))
    if "$ref" in field:
        return codes(definitions[field["$ref"].rpartition("/")[2]]["enum"])
    if field["type"] == "array":
        return f"list of {_values(field['items'], definitions)}"
    return "time" if field.get("format") == "date-time" else KINDS[field["type"]]
