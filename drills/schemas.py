"""JSON Schemas of the files, for editors that complete and underline."""

from typing import Any

KINDS = ("shopwatch", "journey", "runbook", "drill")


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one of KINDS; a runbook's is that of its front matter."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_model(kind).model_json_schema(by_alias=True)}


def _model(kind: str) -> Any:
    if kind == "shopwatch":
        from incident.settings import Settings

        return Settings
    if kind == "journey":
        from probes.language.journey import Journey

        return Journey
    if kind == "runbook":
        from runbooks.document import FrontMatter

        return FrontMatter
    from drills.model import Drill

    return Drill
