"""The answer to the one person who asked, over the address that came with the question."""

from urllib.parse import urlsplit

import httpx
import structlog

from incident.settings import SlackSettings

log = structlog.get_logger("incident.chat")
_SLACK = ("hooks.slack.com", "hooks.slack-gov.com")
_TIMEOUT = 5.0  # seconds


class Replies:
    """Posts to response addresses, to Slack's only: such an address comes from outside, signed or not."""

    def __init__(self, settings: SlackSettings) -> None:
        self._api = urlsplit(settings.api_url)

    def _ours(self, url: str) -> bool:
        try:
            parts, port = urlsplit(url), urlsplit(url).port
        except ValueError:
            return False
        if parts.scheme == "https" and parts.hostname in _SLACK and port in (None, 443):
            return True
        custom = not (self._api.hostname or "").endswith("slack.com")
        return custom and (parts.scheme, parts.netloc) == (self._api.scheme, self._api.netloc)

    async def send(self, url: str, text: str) -> None:
        """Only the asker sees it. That it cannot be delivered is logged: what was done is done."""
        if not self._ours(url):
            log.warning("answer not sent: its address is not Slack's")
            return
        document = {"response_type": "ephemeral", "replace_original": False, "text": text}
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
                response = await client.post(url, json=document)
            if not response.is_success:
                log.warning("answer not taken", status=response.status_code)
        except httpx.HTTPError as error:
            log.warning("answer not sent", error=str(error) or type(error).__name__)
