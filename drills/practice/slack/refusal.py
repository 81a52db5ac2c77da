"""How Slack says no: `{"ok": false, "error": CODE}`."""

from drills.errors import DrillsError


class Refusal(DrillsError):
    """`code` is Slack's; `messages` are the details that it adds for malformed blocks."""

    def __init__(self, code: str, *messages: str) -> None:
        super().__init__(": ".join((code, *messages)))
        self.code = code
        self.messages = messages


class RateLimited(Refusal):
    """`retry_after` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("ratelimited")
        self.retry_after = retry_after
