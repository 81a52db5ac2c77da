import json

import pytest

from probes.terminal import emit_json


def test_json_for_people_is_the_same_document_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"\x9b31m": "支付 \u202e\u2028\x7f\x1b[2J\ud800", "quiet": "支付"}
    emit_json(document)
    said = capsys.readouterr().out
    assert json.loads(said) == document
    assert not set(said) & set("\x9b\u202e\u2028\x7f\x1b\ud800")
    assert "支付" in said
