"""What a failed step shows, and what it never shows."""

import base64
import html
import json
import re
import shlex
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx
import pytest

from probes.files.secrets import Environment
from probes.result import Result
from probes.running.context import RunContext
from probes.running.evidence import SEEN_LIMIT, Masker, curl_command, sounds_secret, tokens_in
from probes.running.runner import run_journey
from tests.probes.shop import Reply, Request, Shop

SECRET = "p&ss \"w<rd>'ü/+§=%1"

ENCODINGS = {
    "raw": SECRET,
    "percent": quote(SECRET, safe=""),
    "percent, lower case": re.sub("%..", lambda found: found[0].lower(), quote(SECRET, safe="")),
    "percent with slashes": quote(SECRET),
    "form": quote_plus(SECRET),
    "html": html.escape(SECRET),
    "html without quotes": html.escape(SECRET, quote=False),
    "json": json.dumps(SECRET)[1:-1],
    "json in unicode": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "basic auth": base64.b64encode(f"buyer@example.com:{SECRET}".encode()).decode(),
    "basic auth, shifted": base64.b64encode(f"buyer@example.co:{SECRET}".encode()).decode(),
    "hex": SECRET.encode().hex(),
}


@pytest.mark.parametrize("form", ENCODINGS)
def test_a_secret_is_masked_in_every_encoding(form: str) -> None:
    masker = Masker()
    masker.add(SECRET, "PASSWORD")
    shown = masker(f"before {ENCODINGS[form]} after")
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert "${PASSWORD}" in shown
    assert ENCODINGS[form][-9:-3] not in shown


@pytest.mark.parametrize(
    "text",
    [
        '{"user": 7, "token": "%s", "state": "new"}',
        '{"data":{"sid":"%s"}}',
        r'"{\"access_token\": \"%s\"}"',
        '{"accessKey": "eyJhbGciOiJIUzI1.eyJzdWIiOi.%s"}',
        "302 with Location: /callback?state=1&auth_code=%s",
        '{"token": "%s …',
    ],
)
def test_a_token_that_an_answer_hands_out_is_found(text: str) -> None:
    token = "4f9a0c77d1e2b3a4"
    assert [found[-16:] for found in tokens_in(text % token)] == [token]


def test_what_people_need_to_read_is_no_token() -> None:
    assert not list(
        tokens_in('{"authError": "INVALID_CREDENTIALS", "session": "expired", "order": "4f9a0c77d1e2b3a4"}')
    )


def test_the_variable_that_the_user_set_names_a_secret() -> None:
    masker = Masker()
    for name in (None, "BUYER_PASSWORD", "ACCOUNT_PASSWORD", None):
        masker.add(SECRET, name)
    assert masker(SECRET) == "${BUYER_PASSWORD}"


@pytest.mark.parametrize("secret", ["p&ss 1'<>", 'a"b{c}^|`\\d', "ünï côde/?x", "before#after", "100%25 sure"])
@pytest.mark.parametrize("place", ["http://x/?p=", "http://x/a/"])
def test_a_secret_written_into_a_url_is_masked_as_the_url_spells_it(secret: str, place: str) -> None:
    masker = Masker()
    masker.add(secret, "P")
    url = str(httpx.URL(place + secret).copy_with(fragment=None))
    assert masker(url).startswith(f"{place}${{P}}"), url


def test_a_secret_with_a_name_stands_as_a_variable_in_the_command() -> None:
    masker = Masker()
    masker.add("hunter2-hunter2", "PASSWORD")
    command = curl_command("POST", "http://x/", [], b'{"p": "hunter2-hunter2"}', masker)
    assert command == """curl -sS --data-raw '{"p": "'"$PASSWORD"'"}' http://x/"""


def test_the_command_says_what_was_sent_whatever_characters_it_has() -> None:
    body = "a='1' \"2\" $HOME `id` \\ \n\x1b[31m \u202e ü !".encode()
    headers = [("Host", "x"), ("X-Odd", "it's"), ("Accept-Encoding", "gzip"), ("Content-Length", "9")]
    command = curl_command("PUT", "http://x/?a=1&b=2", headers, body, Masker(), options=["--cacert", "my ca.pem"])
    assert command.isprintable()
    script = command.replace("curl", "printf '%s\\0'", 1)
    words = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout.split(b"\0")[:-1]
    assert words == [
        b"-sS", b"--cacert", b"my ca.pem", b"-X", b"PUT", b"-H", b"X-Odd: it's", b"--compressed",
        b"--data-raw", body, b"http://x/?a=1&b=2",
    ]  # fmt: skip


def test_cookies_and_the_mark_of_the_run_are_masked_in_the_command() -> None:
    headers = [("Cookie", "sid=abc; lang=en"), ("X-Shopwatch-Run", "run-1.0123456789abcdef")]
    words = shlex.split(curl_command("GET", "http://x/", headers, b"", Masker()))
    assert "Cookie: sid=***; lang=***" in words
    assert "X-Shopwatch-Run: run-1.***" in words


def test_a_long_text_is_masked_before_it_is_cut() -> None:
    masker = Masker()
    masker.add(SECRET, "P")
    for start in range(SEEN_LIMIT - 40, SEEN_LIMIT + 5):
        shown = masker.clip("x" * start + SECRET + "y" * 5000)
        assert len(shown.encode()) <= SEEN_LIMIT
        assert SECRET[:4] not in shown


def test_a_secret_that_was_cut_before_is_masked_too() -> None:
    masker = Masker()
    masker.add(SECRET, "P")
    for length in range(4, len(SECRET)):
        assert SECRET[:4] not in masker.clip(f"seen: {SECRET[:length]} …")


def test_a_secret_at_the_edge_of_what_is_looked_at_does_not_show_when_others_shrink_before_it() -> None:
    masker = Masker()
    masker.add("A" * 3000, "LONG")
    masker.add(SECRET, "P")
    text = ("A" * 3000) * 21
    text += "z" * (65536 - len(text) - 5) + SECRET + "y" * 100
    assert "p&ss" not in masker.clip(text)


@pytest.mark.parametrize("name", ["csrf", "X-Auth-Token", "input[name=csrfmiddlewaretoken]", "$.access_token", "sid"])
def test_names_that_open_doors_are_known(name: str) -> None:
    assert sounds_secret(name)


@pytest.mark.parametrize("name", ["order", "total", "$.lines[0].sku", "h1", "Location", "inside", "author"])
def test_names_that_do_not_are_not(name: str) -> None:
    assert not sounds_secret(name)


# In whole runs


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop() as shop:
        yield shop


def everything_encoded(secret: str) -> str:
    forms = [secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), json.dumps(secret)]
    forms += [base64.b64encode(secret.encode()).decode(), base64.b64encode(f"user:{secret}".encode()).decode()]
    return " | ".join(forms)


async def run(shop: Shop, tmp_path: Path) -> tuple[Result, list[str]]:
    """A run whose last step fails, after which the page shows every secret that the run had, in all encodings."""
    password, key, session, token = "Buyer-p&ss 1'", "env-k3y/+secret", "sess-0123456789", "tok/en+0123456789"
    secrets = [password, key, session, token]
    shop.pages["/in"] = lambda _: Reply(
        f'<input name="csrf" value="{token}">', 200, [("Set-Cookie", f"sessionid={session}; Path=/")]
    )

    def leak(request: Request) -> Reply:
        return Reply(f"<h1>{''.join(everything_encoded(secret) for secret in secrets)}</h1>{request.headers}", 500)

    shop.pages["/leak"] = leak
    environment = Environment({"SHOP_API_KEY": key, "SHOPWATCH_RUN_KEY": "run-key-0123"})
    key_text = environment.resolve("${SHOP_API_KEY}")
    journey = shop.journey(
        {"get": "/in", "save": {"csrf": {"html": "input", "attr": "value"}}},
        {
            "post": "/leak?t={{ csrf }}&p={{ account.password }}",
            "headers": {"X-CSRFToken": "{{ csrf }}", "X-Key": key_text},
            "form": {"password": "{{ account.password }}", "csrf": "{{ csrf }}"},
            "creates": "{{ run_id }}",
        },
        accounts=[{"user": "buyer@example.com", "password": password}],
        cleanup=[{"get": "/in?{{ csrf }}"}],
    )
    context = RunContext(tmp_path, environment)
    result = await run_journey(journey, context)
    await context.aclose()
    return result, [*secrets, "run-key-0123"]


@pytest.mark.anyio
async def test_no_secret_of_a_run_is_in_its_result_in_any_encoding(shop: Shop, tmp_path: Path) -> None:
    result, secrets = await run(shop, tmp_path)
    assert result.outcome == "down"
    shown = json.dumps(result.to_json(), ensure_ascii=False) + str(result.steps[1].curl)
    for secret in secrets:
        for form in everything_encoded(secret).split(" | "):
            assert form.strip('"') not in shown, f"{secret!r} as {form!r}"
    assert "p&ss" not in shown


@pytest.mark.anyio
async def test_no_secret_of_a_run_is_in_the_ledger(shop: Shop, tmp_path: Path) -> None:
    _, secrets = await run(shop, tmp_path)
    ledger = (tmp_path / "ledger.jsonl").read_text()
    assert not [secret for secret in secrets if secret in ledger]


@pytest.mark.anyio
async def test_the_evidence_still_says_what_happened(shop: Shop, tmp_path: Path) -> None:
    result, _ = await run(shop, tmp_path)
    step = result.steps[1]
    assert (step.reason, step.expected, step.status) == ("status", "status 200 to 399", 500)
    assert (step.seen or "").startswith("500 with the page: ${ACCOUNT_PASSWORD} | ")
    assert len((step.seen or "").encode()) <= SEEN_LIMIT
    assert '"$SHOP_API_KEY"' in (step.curl or "")
    assert "sessionid=***" in (step.curl or "")


@pytest.mark.anyio
async def test_a_forms_hidden_token_and_a_bearer_token_are_masked_though_nobody_saved_them(
    shop: Shop, tmp_path: Path
) -> None:
    shop.pages["/in"] = lambda _: Reply('<form method=post><input name="csrf_token" value="hidden-0123"></form>')
    journey = shop.journey(
        {"get": "/in"},
        {"submit": "form", "headers": {"Authorization": "Bearer written-4567"}, "expect": {"body": "no"}},
    )
    context = RunContext(tmp_path)
    shown = json.dumps((await run_journey(journey, context)).to_json())
    await context.aclose()
    assert "csrf_token=***" in shown
    assert "Authorization: Bearer ***" in shown
    assert "hidden-0123" not in shown


def test_a_web_token_is_a_secret_whatever_its_name() -> None:
    assert sounds_secret("value", token="eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJidXllciJ9.c2lnbmF0dXJl")
