"""Which requests of a recording make the journey, and which headers of them."""

from collections.abc import Iterable, Sequence
from urllib.parse import urldefrag, urljoin, urlsplit

from probes.importing.recording import CannotImport, Exchange, Pairs

_KIND_WORDS = """
    image imageset stylesheet style font script media audio video track manifest ping beacon csp-violation-report report
    websocket eventsource preflight prefetch serviceworker worker sharedworker object embed texttrack signed-exchange
"""
_KINDS = frozenset(_KIND_WORDS.split())
_COUNTERS = ("collect", "beacon", "telemetry", "rum", "pixel", "analytics", "vitals")
_MIMES = (
    "image/",
    "font/",
    "audio/",
    "video/",
    "text/css",
    "javascript",
    "application/wasm",
    "application/font",
    "manifest+json",
)
_ENDINGS = (
    ".css", ".js", ".mjs", ".map", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".svg", ".ico", ".woff", ".woff2",
    ".ttf", ".eot", ".otf", ".mp4", ".webm", ".mp3", ".webmanifest",
)  # fmt: skip
_STRANGERS = (
    "google-analytics", "googletagmanager", "doubleclick", "googlesyndication", "googleadservices", "analytics",
    "facebook", "hotjar", "clarity.ms", "segment.", "mixpanel", "amplitude", "sentry", "bugsnag", "newrelic",
    "nr-data", "datadog", "fullstory", "optimizely", "intercom", "criteo", "bing.com", "pinterest", "tiktok",
    "snapchat", "linkedin", "cookiebot", "onetrust", "usercentrics", "recaptcha", "gstatic", "googleapis",
    "cdn.", "matomo", "piwik", "plausible", "crisp.chat", "zendesk", "trustpilot",
)  # fmt: skip
_BROWSERS_OWN = """
    accept accept-encoding accept-language cache-control connection content-length content-type cookie dnt host
    if-modified-since if-none-match keep-alive origin pragma priority proxy-connection purpose range referer
    sec-purpose te traceparent tracestate baggage sentry-trace transfer-encoding upgrade-insecure-requests
    user-agent x-client-data x-moz save-data viewport-width width downlink ect rtt device-memory
"""
_HEADERS = frozenset(_BROWSERS_OWN.split())


def of_the_journey(exchanges: Sequence[Exchange], hosts: Sequence[str]) -> list[Exchange]:
    """Those that a shopper's visit is made of. Raises CannotImport where nothing is left."""
    wanted = [exchange for exchange in exchanges if not is_noise(exchange)]
    home = hosts or _home(wanted)
    kept = [exchange for exchange in wanted if _belongs(exchange, home, bool(hosts))]
    if not kept:
        seen = ", ".join(sorted({exchange.host for exchange in exchanges})[:10])
        where = f"for {', '.join(hosts)}" if hosts else "that makes a journey"
        raise CannotImport(f"nothing was recorded {where}; hosts in the recording: {seen or 'none'}")
    return list(_joined(_once(kept)))


def is_noise(exchange: Exchange) -> bool:
    if exchange.method in ("OPTIONS", "CONNECT", "TRACE") or exchange.kind in _KINDS:
        return True
    if exchange.answer is None:  # blocked, cancelled, or never answered
        return True
    if exchange.path.rstrip("/").rpartition("/")[2].lower() in _COUNTERS and exchange.kind != "document":
        return True
    if exchange.path.lower().endswith(_ENDINGS) and exchange.is_safe:
        return True
    return any(mime in exchange.answer.mime for mime in _MIMES)


def _home(exchanges: Iterable[Exchange]) -> list[str]:
    """The host of the first page, else of the first request."""
    first = None
    for exchange in exchanges:
        first = first or exchange.host
        if exchange.kind == "document" or (exchange.answer is not None and exchange.answer.is_html):
            return [exchange.host]
    return [first] if first else []


def _belongs(exchange: Exchange, home: Sequence[str], only: bool) -> bool:
    if exchange.host in home or urlsplit(exchange.url).hostname in home:
        return True
    if only or any(word in exchange.host for word in _STRANGERS):
        return False
    if exchange.kind == "document":  # the shopper was sent there: a payment page
        return exchange.header("sec-fetch-dest") != "iframe"
    return any(_site(exchange.host) == _site(host) for host in home)


def _site(host: str) -> str:
    """`shop.example` of `api.shop.example`; `shop.co.uk` of `www.shop.co.uk`."""
    labels = host.partition(":")[0].split(".")
    if all(label.isdecimal() for label in labels):
        return host.partition(":")[0]
    return ".".join(labels[-3:] if len(labels) > 2 and len(labels[-2]) <= 3 else labels[-2:])


def _once(exchanges: Iterable[Exchange]) -> Iterable[Exchange]:
    """A page that asks for the same again and again asks once, until something was changed."""
    seen: set[str] = set()
    for exchange in exchanges:
        if not exchange.is_safe:
            seen.clear()
        elif exchange.kind in ("xhr", "fetch"):
            if exchange.url in seen:
                continue
            seen.add(exchange.url)
        yield exchange


def _joined(exchanges: Iterable[Exchange]) -> Iterable[Exchange]:
    """A GET that is redirected, and where that leads, are one; after a form the redirect is worth a look of its own."""
    leading: Exchange | None = None  # a GET whose redirects have not come to an end yet
    for exchange in exchanges:
        if leading is not None and exchange.method == "GET" and exchange.url == _leads_to(leading):
            leading.follow, leading.final_url, leading.answer = True, exchange.url, exchange.answer
            leading.cookies += exchange.cookies
            if _leads_to(leading) is None:
                leading = None
            continue
        leading = exchange if exchange.method == "GET" and _leads_to(exchange) is not None else None
        yield exchange


def _leads_to(exchange: Exchange) -> str | None:
    """The absolute address that the answer redirects to."""
    if exchange.answer is None or not exchange.answer.is_redirect:
        return None
    return urldefrag(urljoin(exchange.final_url or exchange.url, exchange.answer.header("location") or "")).url


def telling_headers(exchange: Exchange) -> Pairs:
    """Those that the shop may act on; what only browsers say, or what is said anew in each run, is left out."""
    return [(name, value) for name, value in exchange.headers if _tells(name.lower())]


def _tells(name: str) -> bool:
    return not (
        name in _HEADERS or name.startswith((":", "sec-", "x-newrelic", "x-datadog", "cf-", "x-b3-", "x-forwarded"))
    )
