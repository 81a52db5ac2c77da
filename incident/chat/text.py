"""Text from outside on its way into Slack: it can neither call a channel, nor link, nor be too long.

Source: Slack's "Formatting text for app surfaces": &, < and > are the only characters to escape.
"""

from urllib.parse import urlsplit

from probes.terminal import clean


def escape(text: str, limit: int = 2900) -> str:
    """Safe inside mrkdwn, and at most `limit` characters after escaping."""
    safe = clean(text, keep="\n").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(safe) <= limit:
        return safe
    cut = safe[: limit - 1]
    return cut[: cut.rfind("&")] + "…" if "&" in cut[-5:] and ";" not in cut[cut.rfind("&") :] else cut + "…"


def unescape(text: str) -> str:
    """What a person typed, of what Slack sends."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def link(url: str, words: str) -> str:
    """A link for http and https; else the words alone."""
    if urlsplit(url).scheme not in ("http", "https") or set(url) & set("<>|\"' \n"):
        return escape(words)
    return f"<{escape(url)}|{escape(words).replace('|', '/')}>"
