"""Certificates that end soon: an alert of their own, while the shop still works. Pure.

One good look is enough to raise it: the end of a certificate is written in it and does not flap. It ends after `clear`
runs in a row that saw only certificates which last, so that one of several machines that still has the old one is
not taken for a renewal.
"""

from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple, Protocol

from probes.duration import format_duration
from probes.result import Outcome, Reason, Result

NAME = "JourneyCertificate"


class CertificateRule(Protocol):
    """The `certificate` part of `alert:`. `within`: seconds until the end."""

    @property
    def within(self) -> float: ...
    @property
    def severity(self) -> str: ...


class Look(Enum):
    """What a run says of the certificates where none ends soon. `NOTHING`: it saw none, or could not trust what it saw,
    which is an alert of its own already."""

    LASTS = auto()
    NOTHING = auto()


class EndsSoon(NamedTuple):
    labels: dict[str, str]
    annotations: dict[str, str]


def look(rule: CertificateRule | None, result: Result, now: datetime) -> EndsSoon | Look:
    """Without a rule every certificate lasts."""
    if rule is None:
        return Look.LASTS
    failed = result.failed
    refused = failed is not None and failed.outcome is Outcome.DOWN and failed.reason is Reason.TLS
    if result.certificate is None or refused:
        return Look.NOTHING
    host, ends = result.certificate
    left = (ends - now).total_seconds()
    if left > rule.within:
        return Look.LASTS
    labels = {
        **result.labels,
        "alertname": NAME,
        "journey": result.journey,
        "service": result.service,
        "severity": rule.severity,
        "location": result.location,
    }
    when = f"{ends:%Y-%m-%d %H:%M} UTC"
    annotations = {
        "summary": f"the certificate of {host} ends on {when}; {result.journey} goes on until then",
        "host": host,
        "expires": ends.isoformat(),
        "expected": f"a certificate that lasts longer than {format_duration(rule.within)}",
        "seen": f"it ends on {when}, in {in_days(left)}",
        "run": result.run_id,
    }
    if runbook := result.labels.get("runbook"):
        annotations["runbook"] = runbook
    return EndsSoon({key: value for key, value in labels.items() if value}, annotations)


def in_days(seconds: float) -> str:
    """Roughly, so that the text of the alert changes once a day and not at every run."""
    days = int(seconds // 86_400)
    return f"{days} days" if days > 1 else "1 day" if days == 1 else "less than a day"
