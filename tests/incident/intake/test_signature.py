import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from starlette.datastructures import Headers

from incident.intake.settings import Hmac
from incident.intake.signature import BadSignature, check

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
PLAIN = Hmac(key="k")
TIMED = Hmac(key="k", header="X-Signature", timestamp_header="X-At")


def signature(content: bytes, key: bytes = b"k") -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def test_what_grafana_signs_is_taken() -> None:
    check(b"{}", Headers({"X-Grafana-Alerting-Signature": signature(b"{}")}), PLAIN, NOW)
    check(b"{}", Headers({"X-Grafana-Alerting-Signature": "sha256=" + signature(b"{}")}), PLAIN, NOW)
    at = str(int(NOW.timestamp()))
    check(b"{}", Headers({"X-Signature": signature(at.encode() + b":{}"), "X-At": at}), TIMED, NOW)


@pytest.mark.parametrize(
    ("headers", "signed", "complaint"),
    [
        ({}, PLAIN, "X-Grafana-Alerting-Signature with the payload's signature is missing"),
        ({"X-Grafana-Alerting-Signature": signature(b"{ }")}, PLAIN, "not that of this payload"),
        ({"X-Grafana-Alerting-Signature": signature(b"{}", b"other")}, PLAIN, "not that of this payload"),
        ({"X-Grafana-Alerting-Signature": "ä"}, PLAIN, "not that of this payload"),
        ({"X-Signature": signature(b"{}")}, TIMED, "X-At is no Unix time"),
        ({"X-Signature": signature(b"1772000000:{}"), "X-At": "1772000000"}, TIMED, "X-At is no Unix time of the last"),
    ],
)
def test_what_was_not_signed_so_is_not_taken(headers: dict[str, str], signed: Hmac, complaint: str) -> None:
    with pytest.raises(BadSignature, match=complaint):
        check(b"{}", Headers(headers), signed, NOW)
