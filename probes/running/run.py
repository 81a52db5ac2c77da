"""The state of one run while it goes on: what steps share, and what evidence is made of."""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from probes.files.settings import Mutates
from probes.http.hosts import address, parse_host, parse_url
from probes.http.url import Url
from probes.language.journey import Account, Journey
from probes.language.kinds import Step
from probes.language.sandbox import for_templates
from probes.language.saving import Save
from probes.language.templates import Template, Tree
from probes.language.values import to_number, to_text
from probes.result import MOST_MEASURED, HeldBack, Reason
from probes.running.answer import Answer
from probes.running.claims import Claim
from probes.running.context import RunContext, tls_options
from probes.running.evidence import (
    SHORTEST_COOKIE,
    SHORTEST_SECRET,
    Masker,
    core,
    curl_command,
    hides,
    secrets_of,
    shell_command,
    sounds_secret,
)
from probes.running.failure import Failed
from probes.running.ledger import Entry
from probes.running.session import Outgoing, Session
from probes.waiting import retry_after

_NOT_NOW = (429, 503)


@for_templates
def uuid() -> str:
    """What templates call as `uuid()`."""
    return str(uuid4())


@dataclass
class Run:
    """`values` is what templates see; `deadline` is loop.time() of the end of the run, cleanup apart.

    `page` is the last HTML page that was read, from which forms are taken. `answered`: whether any target has answered,
    so that there can be anything to clean up.
    """

    journey: Journey
    context: RunContext
    id: str
    deadline: float
    values: dict[str, Any]
    session: Session
    account: Account | None = None
    page: Answer | None = None
    answered: bool = False
    waited: float = 0.0  # seconds, for a free account
    saved: dict[str, Any] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)  # of `saved`: what came from the shop and opens no doors
    secrets: dict[str, str] = field(default_factory=dict)  # value -> name of the variable it would stand in, or ""
    command: list[str] = field(default_factory=list)  # that repeats a step which sends no request
    made: list[Entry] = field(default_factory=list)  # what the ledger says of this run
    claim: Claim | None = None  # from the first thing that it makes
    limit: Mutates | None = None  # how deep its steps may go; cleanup undoes, whatever the limit
    held_back: HeldBack | None = None
    asked: float | None = None  # seconds for which the last answer asked to be left alone

    def render(self, value: Template | Tree) -> Any:
        """Raises what a failing template raises, which ends the step with the reason `config`."""
        return value.render(self.values)

    def text(self, value: Template) -> str:
        return value.text(self.values)

    def shown_url(self) -> str | None:
        """Of the last request, for people: most have nothing to hide, and a masker with a run's fresh secrets costs
        as much as a step, so it is made only where one of them may be in the URL."""
        if self.session.request is None:
            return None
        url = self.session.request.url.text
        fresh = [value for value, name in self.secrets.items() if not name]
        fresh += [value for _, value in self.session.secrets()]
        if "?" in url or any(core(value) in url for value in fresh if value):
            return self.masker()(url)
        return self._lasting_masker()(url)

    def url(self, text: str) -> Url:
        """Absolute, or relative to the journey's `base` as a link on a page there would be."""
        try:
            return address(self.journey.base, text)
        except ValueError as error:
            raise Failed(Reason.CONFIG, "an absolute URL, or one relative to `base`", str(error)) from None

    async def send(self, step: Step, outgoing: Outgoing, deadline: float) -> Answer:
        """Raises Failed and TransportError. The page that the answer may hold becomes the current one."""
        self.session.journey_headers = [
            (name, self.text(value))
            for name, value in self.journey.headers.items()
            if value.constant or value.required <= self.values.keys()  # a token comes once a step has saved it
        ]
        answer = await self.session.send(outgoing, follow=step.follow, deadline=deadline)
        self.answered = True
        self.asked = _asked(answer, self.context.now()) if answer.status in _NOT_NOW else None
        if answer.is_page:
            self.page = answer
        return answer

    def keep(self, name: str, save: Save, value: Any, *, found: bool = True) -> None:
        """What a step saved; from now on templates know it, and evidence hides it if it opens doors.

        `found`: it came from the shop, and is not the default that the file has for it.
        """
        self.values[name] = self.saved[name] = value
        self.plain.pop(name, None)
        if not found:
            return
        if hides(name, save, value):
            self.secrets.setdefault(to_text(value), "")
        else:
            self.plain[name] = value

    def measured(self) -> dict[str, float]:
        """Those of the saved values that the settings name and that are numbers from 0 on."""
        found = {}
        for name in sorted(self.context.measures.get(self.journey.name, ())):
            number = to_number(self.plain.get(name))
            if number is not None and 0 <= number <= MOST_MEASURED:
                found[name] = float(number)
        return found

    def masker(self) -> Masker:
        """Everything that must not be shown: made when something is to be shown."""
        masker = self._lasting_masker()
        for value, name in self.secrets.items():
            masker.add(value, name or None)
        for name, value in self.session.secrets():
            masker.add(value, shortest=SHORTEST_SECRET if sounds_secret(name) else SHORTEST_COOKIE)
        if self.session.request is not None:
            for value in secrets_of(self.session.request):
                masker.add(value)
        return masker

    def _lasting_masker(self) -> Masker:
        """Of the secrets that are the same in every run."""
        masker = Masker()
        for name, value in self.context.environment.secrets.items():
            masker.add(value, name)
        for value, name in self.secrets.items():
            if name:
                masker.add(value, name)
        return masker

    def curl(self, masker: Masker) -> str | None:
        """The command that repeats the last request or question, None where the step has sent none."""
        request = self.session.request
        if request is None:
            return shell_command(self.command, masker) if self.command else None
        headers = [(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in request.headers]
        options = [] if self.journey.proxy is None else ["--proxy", self.journey.proxy]
        if self.journey.tls is not None:
            tls = tls_options(self.journey.tls, self.journey.file.parent)
            for option, path in (("--cacert", tls.ca), ("--cert", tls.cert), ("--key", tls.key)):
                options += [option, str(path)] if path is not None else []
            options += [] if tls.verify else ["--insecure"]
        return curl_command(request.method, request.url.text, headers, request.content, masker, options=options)


def _asked(answer: Answer, now: datetime) -> float | None:
    return retry_after(answer.headers.get("retry-after"), now)


def new_session(journey: Journey, context: RunContext, run_id: str, account: Account | None) -> Session:
    """A shopper who has just arrived: no connection, and no cookies but those that the account brings.

    Raises Failed where the journey's `base` or `hosts` make no sense.
    """
    extra: Mapping[str, Any] = account.values() if account is not None else {}
    headers, cookies = extra.get("headers"), extra.get("cookies")
    own_headers = [*_basic_auth(journey.base), *marks(context, run_id)]
    if isinstance(headers, Mapping):
        own_headers += [(str(name), to_text(value)) for name, value in headers.items()]
    try:
        base = None if journey.base is None else parse_url(journey.base)
        hosts = [parse_host(host) for host in journey.hosts]
    except ValueError as error:
        raise Failed(Reason.CONFIG, "a base and hosts that can be talked to", str(error)) from None
    session = Session(context.transport(journey), None if base is None else base.at, hosts, own_headers)
    if isinstance(cookies, Mapping) and base is not None:
        session.set_cookies(base, {str(name): to_text(value) for name, value in cookies.items()})
    return session


def _basic_auth(base: str | None) -> list[tuple[str, str]]:
    """For `https://user:password@shop.example`, as staging shops often have it in front of everything."""
    if base is None or "@" not in base:
        return []
    parts = urlsplit(base)
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return [("Authorization", f"Basic {b64encode(pair.encode()).decode()}")] if parts.username else []


def marks(context: RunContext, run_id: str) -> list[tuple[str, str]]:
    """`X-Shopwatch-Run`, by which a shop can tell our runs from shoppers and from anybody who would pass for us."""
    if not context.run_key:
        return []
    digest = hmac.digest(context.run_key.encode(), run_id.encode(), "sha256").hex()
    return [("X-Shopwatch-Run", f"{run_id}.{digest}")]


def start_values(journey: Journey, context: RunContext, run_id: str, account: Account | None) -> dict[str, Any]:
    """What templates see when the run starts. Raises what a failing template of `vars` raises."""
    seen = account.values() if account is not None else {}
    return journey.start({"account": seen, "run_id": run_id, "now": context.now(), "uuid": uuid})


def known_secrets(journey: Journey, values: Mapping[str, Any], account: Account | None) -> dict[str, str]:
    """What the journey's file itself holds of secrets: value -> the name of a variable that could stand for it."""
    secrets: dict[str, str] = {}
    for name, value in (account.values() if account is not None else {}).items():
        if name in ("headers", "cookies") and isinstance(value, Mapping):
            secrets.update((to_text(inner), "") for inner in value.values())
        elif name != "user" and sounds_secret(name):
            secrets[to_text(value)] = f"ACCOUNT_{name}".upper()
    for name, value in values["vars"].items():
        if sounds_secret(name):
            secrets[to_text(value)] = name.upper()
    for url, name in ((journey.base, "BASE_PASSWORD"), (journey.proxy, "PROXY_PASSWORD")):
        password = urlsplit(url).password if url is not None and "@" in url else None
        if password:
            secrets[unquote(password)] = name
    return secrets
