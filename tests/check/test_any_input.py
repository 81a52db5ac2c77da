"""Whatever a file holds, `check` ends with mistakes and never with a traceback."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.checks import check_workspace
from drills.schemas import schema_of
from probes.files.mistakes import Mistake
from tests.check.good import workspace

TARGETS = {"shopwatch": "shopwatch.yaml", "journey": "probes/x.yaml", "drill": "drills/x.yaml"}
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**20), st.text(max_size=8),
    st.sampled_from(["${A}", "${A:-b}", "{{ x }}", "{{", "5m", "none", "/", "https://x.example", "practice", "(a"]),
)  # fmt: skip


def keys_of(schema: Any) -> set[str]:
    """Every property name of a JSON Schema."""
    if isinstance(schema, list):
        return set().union(*map(keys_of, schema))
    if not isinstance(schema, dict):
        return set()
    own = set(schema.get("properties", {})) if isinstance(schema.get("properties"), dict) else set()
    return own.union(*map(keys_of, schema.values()))


def files(kind: str) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(sorted(keys_of(schema_of(kind))))
    values = st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=25
    )
    return st.dictionaries(keys, values, max_size=8)


@pytest.mark.parametrize("kind", TARGETS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_data_in_a_file_ends_as_mistakes(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    folder = tmp_path if (tmp_path / "shopwatch.yaml").exists() else workspace(tmp_path)
    (folder / TARGETS[kind]).write_text(json.dumps(data.draw(files(kind))))
    for mistake in check_workspace(folder, {"A": "value"}).mistakes:
        assert isinstance(mistake, Mistake)
        assert mistake.line >= 1
        assert "\n" not in mistake.path
