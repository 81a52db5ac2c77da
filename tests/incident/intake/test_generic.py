from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from incident.intake.generic import read
from incident.intake.payload import Unreadable
from incident.intake.settings import Mapping

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ZABBIX = Mapping.model_validate(
    {
        "each": "$.events[*]",
        "labels": {"alertname": "$.trigger.name", "service": "$.host.tags.service", "team": "warehouse"},
        "annotations": {"summary": "$.message"},
        "status": "$.value",
        "resolved": ["0"],
        "starts_at": "$.clock",
        "link": "$.url",
    }
)


def event(**more: Any) -> dict[str, Any]:
    host = {"tags": {"service": "logistics"}}
    whole = {"trigger": {"name": "Scanner silent"}, "host": host, "message": "no scan", "value": 1, "clock": 1772355600}
    return {**whole, **more}


def test_fields_are_found_by_their_paths_and_words_stand_for_themselves() -> None:
    [alert] = read({"events": [event(url="https://zabbix.example/1")]}, ZABBIX, NOW)
    assert alert.labels == {"alertname": "Scanner silent", "service": "logistics", "team": "warehouse"}
    assert alert.annotations == {"summary": "no scan"}
    assert alert.starts_at == NOW
    assert alert.generator_url == "https://zabbix.example/1"
    assert alert.ends_at > NOW


def test_the_sources_own_word_ends_an_alert() -> None:
    firing, over = read({"events": [event(), event(value=0)]}, ZABBIX, NOW)
    assert firing.fingerprint == over.fingerprint
    assert firing.ends_at > NOW >= over.ends_at


@pytest.mark.parametrize(
    "clock", [1772355600, "1772355600", 1772355600000, "2026-03-01T09:00:00Z", "2026-03-01T10:00:00+01:00"]
)
def test_instants_are_read_in_any_notation(clock: object) -> None:
    assert read({"events": [event(clock=clock)]}, ZABBIX, NOW)[0].starts_at == NOW


def test_what_is_not_there_is_said_by_its_path() -> None:
    with pytest.raises(Unreadable, match=r"\$\.events\[\*\] finds nothing"):
        read({"event": []}, ZABBIX, NOW)
    with pytest.raises(Unreadable, match=r"\$\.trigger\.name finds no alertname"):
        read({"events": [event(trigger={})]}, ZABBIX, NOW)


def test_a_path_that_is_none_is_a_mistake_of_the_settings() -> None:
    with pytest.raises(ValidationError, match=r"labels\.alertname"):
        Mapping.model_validate({"labels": {"alertname": "$.["}})
