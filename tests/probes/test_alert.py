import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.alert import fingerprint

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def written_out(labels: dict[str, str]) -> str:
    """FNV-1a 64, byte by byte."""
    value = 14695981039346656037
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            value = ((value ^ byte) * 1099511628211) % 2**64
    return f"{value:016x}"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (
            {
                "alertname": "InstanceDown",
                "code": "200",
                "instance": "127.0.0.1:9090",
                "job": "prometheus",
                "monitor": "codelab-monitor",
                "severity": "critical",
            },
            "791cec13fcba0368",
        ),
        ({"alertname": "DemoAlert", "server": "ni3", "severity": "critical"}, "8a07086b74f3ba78"),
    ],
    ids=["six labels", "three labels"],
)
def test_the_fingerprint_is_that_of_alertmanager(labels: dict[str, str], expected: str) -> None:
    assert fingerprint(labels) == fingerprint(labels) == expected


@given(st.dictionaries(_TEXT, _TEXT | st.sampled_from(["x" * 300, "payment"]), max_size=6))
def test_what_is_remembered_of_pairs_changes_no_fingerprint(labels: dict[str, str]) -> None:
    assert fingerprint(labels) == written_out(labels)
