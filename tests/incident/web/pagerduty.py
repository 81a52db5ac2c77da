"""Events as PagerDuty's clients send them."""

from typing import Any

from tests.incident.web.conftest import Connect

TRIGGER: dict[str, Any] = {
    "routing_key": "g" * 32,
    "event_action": "trigger",
    "dedup_key": "queue",
    "payload": {
        "summary": "Queue grows",
        "source": "mq-1",
        "severity": "critical",
        "custom_details": {"service": "cart"},
    },
}


async def enqueue(connect: Connect, **changes: Any) -> tuple[int, dict[str, Any]]:
    response = await connect().post("/v2/enqueue", json={**TRIGGER, **changes})
    return response.status_code, response.json()


async def act(connect: Connect, action: str) -> None:
    body = {"routing_key": "g", "event_action": action, "dedup_key": "queue"}
    assert (await connect().post("/v2/enqueue", json=body)).status_code == 202
