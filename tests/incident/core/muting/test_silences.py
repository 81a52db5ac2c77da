from dataclasses import replace
from datetime import timedelta

import pytest

from incident.core.muting.mute import Mute
from incident.core.muting.silences import Silence, Silences
from tests.incident.conftest import START
from tests.incident.core.muting.test_inhibitions import alert, matchers


@pytest.mark.parametrize("matcher", ["service=payment", 'service=~"pay.*"', "service!=login"])
def test_a_silence_of_a_service_covers_what_its_source_s_settings_say_is_of_it(matcher: str) -> None:
    silence = Silence("s-1", matchers(matcher), START, START + timedelta(hours=1), "mara", "", START)
    stage = Silences([silence])
    assert stage.mute(replace(alert(severity="warning"), of_service="payment"), START) == Mute(silenced_by=("s-1",))
    assert stage.mute(replace(alert(service="login"), of_service="payment"), START) is None  # its own word counts
