"""From the requests that were kept to the draft of a journey."""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from probes.importing.draft import Draft, DraftStep, Made
from probes.importing.expecting import expectations, is_made, title_of
from probes.importing.forms import Filled, submitted
from probes.importing.noise import telling_headers
from probes.importing.recording import Exchange, cookie_of
from probes.importing.secrets import Vault, secret_name
from probes.importing.values import Values
from probes.pages.page import Page

_SIGN_IN = re.compile(r"log-?in|sign-?in|auth|session", re.I)
_DEPTHS = (
    ("order", re.compile(r"order|purchase|place|confirm|preview|complete", re.I)),
    ("authorize", re.compile(r"pay|charge|authori[sz]e|card", re.I)),
)
_PLACED = re.compile(r"/orders?/\w|thank-?you|confirmation", re.I)  # where a form leads that has placed an order
_SERVICES = (
    ("payment", re.compile(r"pay", re.I)),
    ("checkout", re.compile(r"checkout|order", re.I)),
    ("cart", re.compile(r"cart|basket", re.I)),
    ("login", _SIGN_IN),
    ("catalog", re.compile(r"", re.I)),
)
_VERBS = ("get", "post", "put", "patch", "delete", "head")
_DULL_COOKIE = re.compile(r"_ga|_gid|_gcl|_fbp|_hj|utm|consent|optanon|amplitude|intercom|_clck|_clsk|ajs_", re.I)


def build(exchanges: Sequence[Exchange], *, name: str, source: str, services: Sequence[str] = ()) -> Draft:
    """`services`: those of the workspace, in their order; the first that fits is taken."""
    return _Builder(exchanges).draft(name, source, services)


class _Builder:
    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self.exchanges = exchanges
        self.steps = [DraftStep("", {}) for _ in exchanges]
        self.vault = Vault()
        first = urlsplit(exchanges[0].url)
        self.origin = f"{first.scheme}://{exchanges[0].host}"
        self.values = Values(exchanges, self.steps, self.vault)
        self.page: tuple[Page, str] | None = None  # the one last read, and its address
        self.led: tuple[str, str] | None = None  # where the last answer leads, and as what it is saved

    def draft(self, name: str, source: str, services: Sequence[str]) -> Draft:
        for at, exchange in enumerate(self.exchanges):
            self._step(at, exchange)
        for step in self.steps:  # a secret may have stood in an earlier step before it was known for one
            step.what, step.expect = _literals(step.what, self.values), _literals(step.expect, self.values)
            step.name = _literals(step.name, self.values)
        self._tell_names_apart()
        service = _service(self.exchanges, services)
        self._say_sign_in(services, service)
        accounts = self._accounts()
        return Draft(
            name=name,
            service=service,
            base=f"${{SHOP_URL:-{self.origin}}}",
            steps=self.steps,
            source=source,
            mutates=depth(self.exchanges),
            headers=self._shared_headers(),
            hosts=self._hosts(),
            accounts=accounts,
            insecure=any(exchange.insecure for exchange in self.exchanges),
            exports=dict(self.vault.exports),
        )

    def _step(self, at: int, exchange: Exchange) -> None:
        step = self.steps[at]
        filled = self._form(exchange)
        if filled is not None:
            self._submit(at, exchange, filled)
        else:
            self._request(at, exchange)
        headers = self._headers(at, exchange, filled is not None)
        if headers:
            step.what["headers"] = headers
        step.follow = exchange.follow
        step.expect = _literals(expectations(exchange), self.values)
        self._read(at, exchange)

    # What is sent

    def _form(self, exchange: Exchange) -> Filled | None:
        by_script = exchange.kind in ("xhr", "fetch") or exchange.header("x-requested-with")
        return None if self.page is None or by_script else submitted(self.page[0], exchange)

    def _submit(self, at: int, exchange: Exchange, filled: Filled) -> None:
        step = self.steps[at]
        step.what["submit"] = self.values.literal(filled.selector)
        step.name = self.values.literal(filled.label.lower() or f"submit {filled.selector}")
        fields = {name: self._field(at, name, value) for name, value in filled.fields.items()}
        if fields:
            step.what["fields"] = fields
        if filled.button is not None:
            step.what["button"] = filled.button

    def _field(self, at: int, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self.values.text(at, item, name) for item in value]
        return None if value is None else self.values.text(at, value, name)

    def _request(self, at: int, exchange: Exchange) -> None:
        step, verb = self.steps[at], exchange.method.lower()
        if verb not in _VERBS:
            step.comments.append(f"{exchange.method} was recorded, which journeys do not have")
            verb = "post"
        led = self.led is not None and exchange.url == self.led[0]
        url = Made("{{ " + self.led[1] + " }}") if led and self.led else self._url(at, exchange)
        step.what[verb] = url
        title = title_of(exchange.answer) if exchange.answer is not None and exchange.is_safe else ""
        step.name = self.values.literal(_step_name(verb, url, title))
        if exchange.query and not led:
            step.what["query"] = self._pairs(at, exchange.query)
        self._body(at, exchange, verb)

    def _url(self, at: int, exchange: Exchange) -> str:
        parts = [self._part(at, part, before) for part, before in _parts(exchange.path)]
        path = "/".join(["", *parts]) if exchange.path != "/" else "/"
        home = (
            ""
            if exchange.host == urlsplit(self.origin).netloc
            else f"{urlsplit(exchange.url).scheme}://{exchange.host}"
        )
        made = home + path
        return Made(made) if any(isinstance(part, Made) for part in parts) else made

    def _part(self, at: int, part: str, before: str) -> str:
        found = self.values.text(at, unquote(part), before, in_path=True)
        return found if isinstance(found, Made) else part

    def _pairs(self, at: int, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            text = self.values.text(at, value, name)
            if name in found:
                found[name] = [*(found[name] if isinstance(found[name], list) else [found[name]]), text]
            else:
                found[name] = text
        return found

    def _body(self, at: int, exchange: Exchange, verb: str) -> None:
        step = self.steps[at]
        if verb in ("head", "get") and exchange.json is None:
            return
        if exchange.multipart:
            step.comments.append("The recording sends these fields as multipart/form-data; here they go urlencoded.")
        if exchange.form is not None:
            step.what["form"] = self._pairs(at, exchange.form)
        elif exchange.json is not None:
            step.what["json"] = self.values.tree(at, exchange.json)
        elif exchange.body:
            step.what["body"] = self.values.literal(exchange.body[: 64 << 10])

    def _headers(self, at: int, exchange: Exchange, is_submit: bool) -> dict[str, str]:
        found = {name: self.values.text(at, value, name) for name, value in telling_headers(exchange)}
        accept = exchange.header("accept") or ""
        if "json" in accept and not is_submit:
            found["Accept"] = "application/json"
        kind = exchange.header("content-type")
        if kind and "body" in self.steps[at].what:
            found["Content-Type"] = kind
        referer = exchange.header("referer") or ""
        if (
            not exchange.is_safe
            and not is_submit
            and referer.startswith("https://")
            and referer.startswith(self.origin)
        ):
            path = self.values.literal(urlsplit(referer).path or "/")
            found["Referer"] = Made(f"${{SHOP_URL:-{self.origin}}}{path}")  # Django and others ask for it
        return found

    # What came back

    def _read(self, at: int, exchange: Exchange) -> None:
        answer = exchange.answer
        self.led = None
        if answer is None:
            return
        address = exchange.final_url or exchange.url
        if answer.is_redirect:
            place = answer.header("location") or ""
            if is_made(place) and at + 1 < len(self.exchanges):
                target = urljoin(address, place)
                if self.exchanges[at + 1].url == target:
                    self._save_location(at, target)
        elif answer.is_html and answer.text:
            self.page = (Page(answer.text, address), address)

    def _save_location(self, at: int, target: str) -> None:
        taken = {name for step in self.steps for name in step.save}
        name, number = "location", 2
        while name in taken:
            name, number = f"location_{number}", number + 1
        self.steps[at].save[name] = {"header": "Location"}
        self.led = (target, name)

    # The journey

    def _tell_names_apart(self) -> None:
        seen: dict[str, int] = {}
        for step in self.steps:
            seen[step.name] = seen.get(step.name, 0) + 1
            if seen[step.name] > 1:
                step.name = type(step.name)(f"{step.name} ({seen[step.name]})")

    def _say_sign_in(self, services: Sequence[str], service: str) -> None:
        """A sign-in that fails is no failure of the checkout."""
        if "login" in services and service != "login":
            for step, exchange in zip(self.steps, self.exchanges, strict=True):
                if _SIGN_IN.search(exchange.path):
                    step.what = {"service": "login", **step.what}

    def _accounts(self) -> list[dict[str, Any]]:
        account: dict[str, Any] = {}
        if self.values.account:
            user, password = self.values.account
            account = {"user": Made(f"${{SHOP_USER:-{user}}}") if "}" not in user else user}
            account["password"] = Made(f"${{{self.vault.names[password]}}}")
        cookies = self._cookies()
        if cookies:
            account = {**(account or {"user": "visitor"}), "cookies": cookies}
        return [account] if account else []

    def _cookies(self) -> dict[str, str]:
        """Those that the first request brought along and no recorded answer has set."""
        header = self.exchanges[0].header("cookie")
        if not header:
            return {}
        set_later = {name for exchange in self.exchanges for name, _ in exchange.cookies}
        pairs = [cookie_of(pair) for pair in header.split("; ")]
        return {
            name: Made(f"${{{self.vault.lift(value, name, f'the cookie {name}')}}}")
            if _opens_doors(name, value)
            else value
            for name, value in pairs
            if name and name not in set_later and not _DULL_COOKIE.match(name)
        }

    def _shared_headers(self) -> dict[str, str]:
        language = next((value for e in self.exchanges if (value := e.header("accept-language"))), None)
        return {"Accept-Language": language} if language else {}

    def _hosts(self) -> list[str]:
        home = urlsplit(self.origin).netloc
        seen = [host for e in self.exchanges for host in (e.host, urlsplit(e.final_url or e.url).netloc.lower())]
        return [host for host in dict.fromkeys(seen) if host != home]


def _step_name(verb: str, url: str, title: str) -> str:
    """Without the numbers that will be others next time."""
    if title:
        return f"open {' '.join(re.sub('#?[0-9]+', '', title).split())}"
    return f"{verb} {re.sub('{{.*?}}', '…', url)}"[:100]


def _opens_doors(name: str, value: str) -> bool:
    return len(value) >= 8 or secret_name(name, value) is not None


def _parts(path: str) -> list[tuple[str, str]]:
    """The parts of a path, each with the one before it."""
    parts = path.split("/")[1:]
    return [(part, unquote(parts[at - 1]) if at else "") for at, part in enumerate(parts)]


def _literals(value: Any, values: Values) -> Any:
    if isinstance(value, dict):
        return {key: _literals(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [_literals(inner, values) for inner in value]
    return values.literal(value) if isinstance(value, str) and not isinstance(value, Made) else value


def depth(exchanges: Iterable[Exchange]) -> str:
    """How deep these requests write into the shop, as far as their addresses tell."""
    writing = [e for e in exchanges if not e.is_safe and not (_SIGN_IN.search(e.path))]
    if any(_PLACED.search(_led_to(exchange)) for exchange in writing):
        return "order"
    for name, pattern in _DEPTHS:
        if any(pattern.search(exchange.path) for exchange in writing):
            return name
    return "cart" if writing else "none"


def _led_to(exchange: Exchange) -> str:
    """The path of the redirect that answered it."""
    where = exchange.answer.header("location") if exchange.answer is not None and exchange.answer.is_redirect else None
    return urlsplit(where or "").path


def _service(exchanges: Sequence[Exchange], services: Sequence[str]) -> str:
    paths = " ".join(exchange.path for exchange in exchanges if not exchange.is_safe) or exchanges[-1].path
    for name, pattern in _SERVICES:
        if pattern.search(paths) and (not services or name in services):
            return name
    return services[0] if services else "catalog"
