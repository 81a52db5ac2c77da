"""From recordings made by hand to journeys, one question each."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from cli import shopwatch
from probes.importing.build import build
from probes.importing.har import read_entries
from probes.importing.noise import of_the_journey
from probes.importing.recording import CannotImport
from probes.importing.secrets import is_card
from probes.importing.writing import write

SHOP = "https://shop.example"
LOGIN = """<title>Sign in</title><form id="signin" method="post" action="/login">
<input type="hidden" name="csrf" value="f0rm-T0k3n-1"><input name="email"><input name="password" type="password">
<button>Sign in</button></form>"""


def entry(method: str, url: str, **more: Any) -> dict[str, Any]:
    """`html`, `json`: of the answer; `form`, `sends`: of the request."""
    request: dict[str, Any] = {"method": method, "url": SHOP + url if url.startswith("/") else url}
    request["headers"] = [{"name": name, "value": value} for name, value in more.get("headers", {}).items()]
    if "form" in more:
        request["postData"] = {"mimeType": "application/x-www-form-urlencoded", "text": more["form"]}
    if "sends" in more:
        request["postData"] = {"mimeType": "application/json", "text": json.dumps(more["sends"])}
    mime, text = (
        ("text/html", more["html"]) if "html" in more else ("application/json", json.dumps(more.get("json", {})))
    )
    answer = [{"name": name, "value": value} for name, value in more.get("answers", {}).items()]
    content = {"mimeType": more.get("mime", mime), "text": text}
    response = {"status": more.get("status", 200), "headers": answer, "content": content}
    return {"request": request, "response": response, "_resourceType": more.get("kind", "fetch")}


def made(*entries: dict[str, Any], hosts: tuple[str, ...] = ()) -> dict[str, Any]:
    numbered = [{**one, "startedDateTime": f"{number:04}"} for number, one in enumerate(entries)]
    text = write(build(of_the_journey(read_entries(numbered), hosts), name="j", source="x.har"))
    document: dict[str, Any] = yaml.safe_load(text)
    return {**document, "text": text}


def test_a_token_from_json_is_saved_and_used_in_a_header_a_body_and_a_path() -> None:
    journey = made(
        entry("GET", "/api/session", json={"csrfToken": "aaaa-1111-bbbb-2222"}),
        entry(
            "POST",
            "/api/carts",
            sends={"n": 1},
            json={"id": "c-77f3a"},
            status=201,
            headers={"X-CSRF": "aaaa-1111-bbbb-2222"},
        ),
        entry("POST", "/api/carts/c-77f3a/items", sends={"sku": "A1", "cart_id": "c-77f3a"}),
    )
    session, cart, items = journey["steps"]
    assert session["save"] == {"csrf": {"json": "$.csrfToken"}}
    assert cart["headers"] == {"X-CSRF": "{{ csrf }}"}
    assert cart["expect"]["status"] == 201
    assert items["post"] == "/api/carts/{{ id }}/items"
    assert items["json"] == {"sku": "A1", "cart_id": "{{ id }}"}


def test_tokens_from_a_meta_tag_a_header_and_a_cookie() -> None:
    page = '<title>Shop</title><meta name="csrf-token" content="meta-T0k3n-0001">'
    answers = {"X-Ticket": "ticket-12-ab-34-cd", "Set-Cookie": "xsrf=c00k1e-t0ken-99; Path=/"}
    sent = {"X-CSRF-Token": "meta-T0k3n-0001", "X-Ticket": "ticket-12-ab-34-cd", "X-XSRF": "c00k1e-t0ken-99"}
    first, second = made(
        entry("GET", "/", html=page, kind="document", answers=answers), entry("POST", "/api/x", sends={}, headers=sent)
    )["steps"]
    assert {"html": 'meta[name="csrf-token"]', "attr": "content"} in first["save"].values()
    assert {"header": "X-Ticket"} in first["save"].values()
    assert {"cookie": "xsrf"} in first["save"].values()
    assert all(value.startswith("{{ ") for value in second["headers"].values())


def test_a_form_on_the_page_is_submitted_its_redirect_expected_and_the_shopper_an_account() -> None:
    journey = made(
        entry("GET", "/login", html=LOGIN, kind="document"),
        entry("POST", "/login", form="csrf=f0rm-T0k3n-1&email=ada%40x.example&password=hunter22", status=302,
              answers={"Location": "/account/"}, html="", kind="document"),
        entry("GET", "/account/", html="<title>Account</title>", kind="document"),
    )  # fmt: skip
    assert journey["accounts"] == [{"user": "${SHOP_USER:-ada@x.example}", "password": "${SHOP_PASSWORD}"}]
    _, step, after = journey["steps"]
    assert step["name"] == "sign in"
    assert step["submit"] == "#signin"
    assert step["fields"] == {"email": "{{ account.user }}", "password": "{{ account.password }}"}
    assert step["expect"] == {"status": 302, "header": {"Location": "/account/"}}
    assert (after["get"], after["expect"]["html"]) == ("/account/", {"title": {"contains": "Account"}})
    assert "mutates" not in journey
    assert "hunter22" not in journey["text"]


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/field/order/XTVQD/ichwmud6zhz850mm/pay/74/complete", {"contains": "/field/order/"}),
        ("https://shop.example/orders/100012/", {"contains": "/orders/"}),
        ("/thank-you/?order=7", {"contains": "/thank-you/"}),
        ("/Account/Login", "/Account/Login"),
    ],
)
def test_of_an_address_that_will_be_another_only_the_folders_before_are_expected(location: str, expected: Any) -> None:
    step = made(
        entry("POST", "/pay", form="a=b", status=302, answers={"Location": location}, kind="document"),
        entry("GET", location, html="<title>Order XTVQD – Shop</title>", kind="document"),
    )["steps"][0]
    assert step["expect"]["header"] == {"Location": expected}


def test_a_title_is_expected_up_to_the_number_that_is_in_the_address() -> None:
    [step] = made(entry("GET", "/order/XTVQD/", html="<title>Thank you for XTVQD</title>", kind="document"))["steps"]
    assert step["expect"]["html"] == {"title": {"contains": "Thank you for"}}


def test_what_is_no_part_of_the_visit_is_dropped() -> None:
    journey = made(
        entry("GET", "/", html="<title>Shop</title>", kind="document"),
        entry("GET", "/logo.png", mime="image/png", kind="image"),
        entry("GET", "/app", mime="application/javascript", kind=""),
        entry("GET", "/f.woff2", kind="font"),
        entry("OPTIONS", "/api/x", kind="preflight"),
        entry("GET", "/next", html="x", kind="document", headers={"Sec-Purpose": "prefetch"}) | {"_resourceType": ""},
        entry("POST", "https://www.google-analytics.com/g/collect", sends={}),
        entry("POST", "https://tracker.example/event", sends={}),
        entry("GET", "/sw", kind="serviceworker"),
        entry("GET", "/api/x", json={"a": 1}, headers={"User-Agent": "M", "Sec-Fetch-Mode": "cors", "X-Shop": "1"}),
        entry("GET", "/api/x", json={"a": 1}),
        entry("GET", "https://api.shop.example/y", json=[1]),
    )
    assert [step["get"] for step in journey["steps"]] == ["/", "/api/x", "https://api.shop.example/y"]
    assert journey["steps"][1]["headers"] == {"X-Shop": "1"}
    assert journey["hosts"] == ["api.shop.example"]


def test_redirects_of_a_get_are_followed_and_are_one_step() -> None:
    [step] = made(
        entry("GET", "/old", status=301, answers={"Location": "/older"}, kind="document"),
        entry("GET", "/older", status=302, answers={"Location": "/new"}, kind="document"),
        entry("GET", "/new", html="<title>New</title>", kind="document"),
    )["steps"]
    assert (step["get"], step["follow"], step["expect"]["status"]) == ("/old", True, 200)


@pytest.mark.parametrize(
    ("more", "secret"),
    [
        ({"headers": {"Authorization": "Bearer sk-live-0001"}}, "sk-live-0001"),
        ({"headers": {"Authorization": "Basic YWRhOnMzY3JldA=="}}, "YWRhOnMzY3JldA=="),
        ({"headers": {"X-Api-Key": "key-0001-xyz"}}, "key-0001-xyz"),
        ({"sends": {"payment": {"number": "4111 1111 1111 1111"}}}, "4111 1111"),
        ({"sends": {"cvc": "737"}}, "737"),
        ({"form": "new_password=hunter22&repeat=hunter22"}, "hunter22"),
        ({"sends": {"note": "my key is key-0001-xyz"}, "headers": {"X-Api-Key": "key-0001-xyz"}}, "key-0001-xyz"),
    ],
)
def test_secrets_become_variables(more: dict[str, Any], secret: str) -> None:
    journey = made(entry("GET", "/", html="<title>Shop</title>", kind="document"), entry("POST", "/api/x", **more))
    assert secret not in journey["text"]
    assert "${SHOP_" in str(journey["steps"][1])


def test_a_secret_in_the_address_becomes_a_variable() -> None:
    journey = made(entry("GET", "/api/x?api_key=key-0001-xyz&q=shoes"))
    assert journey["steps"][0]["query"] == {"api_key": "${SHOP_API_KEY}", "q": "shoes"}


def test_text_that_looks_like_a_template_stays_text() -> None:
    [step] = made(entry("POST", "/api/x", sends={"q": "{{ 7 * 7 }} ${HOME}", "yes": "on", "n": "1e3"}))["steps"]
    from probes.language.templates import Template

    assert Template(step["json"]["q"]).render({}) == "{{ 7 * 7 }} ${HOME}"
    assert (step["json"]["yes"], step["json"]["n"]) == ("on", "1e3")


@pytest.mark.parametrize(
    ("path", "level"),
    [("/basket/add", "cart"), ("/checkout/pay", "authorize"), ("/api/orders", "order"), ("/login", "none")],
)
def test_how_deep_it_writes_is_guessed_and_cleaning_up_is_asked_for(path: str, level: str) -> None:
    journey = made(entry("POST", path, sends={"a": 1}))
    assert journey.get("mutates", "none") == level
    assert ("creates:" in journey["text"]) is (level != "none")


def test_a_form_that_leads_to_an_order_has_placed_one() -> None:
    paid = entry("POST", "/checkout/pay", sends={"a": 1}, status=303, answers={"location": "/orders/7"})
    assert made(paid)["mutates"] == "order"


def test_only_the_hosts_that_are_asked_for_are_kept() -> None:
    entries = (entry("GET", "/", html="x", kind="document"), entry("GET", "https://b.example/y"))
    assert made(*entries, hosts=("b.example",))["base"] == "${SHOP_URL:-https://b.example}"
    with pytest.raises(CannotImport, match=r"shop\.example"):
        made(*entries, hosts=("c.example",))


@pytest.mark.parametrize(
    ("number", "is_one"), [("4111111111111111", True), ("4111111111111112", False), ("0" * 16, False)]
)
def test_cards_are_known_by_their_checksum(number: str, is_one: bool) -> None:
    assert is_card(number) is is_one


def call(folder: Path, *words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(shopwatch, ["-w", str(folder), "probe", "import", *words], input=stdin)


def test_the_command_writes_a_file_that_check_passes_and_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shopwatch.yaml").write_text("shop: {name: S}\nservices: {basket: {title: B}}\n")
    (tmp_path / "probes").mkdir()
    file = tmp_path / "probes/x.yaml"
    words = ["curl", "curl -H 'X-Api-Key: key-0001-xyz' https://shop.example/api/x", "-o", str(file)]
    result = call(tmp_path, *words)
    assert result.exit_code == 0, result.output
    assert "export SHOP_API_KEY=" in result.stderr
    assert "key-0001" not in result.output + file.read_text()
    monkeypatch.setenv("SHOP_API_KEY", "anything-else")
    checked = CliRunner().invoke(shopwatch, ["-w", str(tmp_path), "check"])
    assert checked.exit_code == 0, checked.output
    assert call(tmp_path, *words).exit_code == 4, "a file that is there is not written over"


def test_the_command_reads_standard_input_and_files(tmp_path: Path) -> None:
    (tmp_path / "copied.txt").write_text("curl https://shop.example/a;\ncurl https://shop.example/b")
    from_file = call(tmp_path, "curl", str(tmp_path / "copied.txt"))
    assert from_file.stdout.count("- name:") == 2
    assert "get: /c" in call(tmp_path, "curl", stdin="curl https://shop.example/c").stdout


@pytest.mark.parametrize(
    "text", ["", "[]", '{"log": {}}', "[" * 100_000, "\x00"], ids=["empty", "list", "log", "deep", "nul"]
)
def test_a_file_that_is_no_har_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.har").write_text(text)
    result = call(tmp_path, "har", str(tmp_path / "x.har"))
    assert result.exit_code == 2
    assert "is not a HAR file" in result.stderr
