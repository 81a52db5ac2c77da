"""The payment provider's signature."""

import pytest

from drills.practice.secret import MAX_AGE, sign, verify

BODY = b'{"event": "captured"}'
NOW = 1_700_000_000.0


def test_a_signature_holds_for_its_body_its_secret_and_its_time() -> None:
    header = sign("s3cret", BODY, NOW)
    assert verify("s3cret", BODY, header, NOW + MAX_AGE - 1)
    assert not verify("s3cret", BODY + b" ", header, NOW)
    assert not verify("guess", BODY, header, NOW)
    assert not verify("s3cret", BODY, header, NOW + MAX_AGE + 1)


@pytest.mark.parametrize(
    "header", ["", "t=,v1=", "t=²,v1=x", "t=1700000000", "v1=é,t=1700000000", "t=99999999999999999"]
)
def test_garbage_is_no_signature(header: str) -> None:
    assert not verify("s3cret", BODY, header, NOW)
