import base64
import html
import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.files.masking import Masker
from probes.files.secrets import Environment, Text
from probes.files.yamlfile import Mistake, parse


def resolve(data: Any, **variables: str) -> Any:
    return Environment(variables).resolve(data)


def test_a_variable_is_replaced_in_values_and_keys_are_left_alone() -> None:
    data = {"${A}": ["x ${A} y", 1, None, {"b": "${A}"}]}
    assert resolve(data, A="1") == {"${A}": ["x 1 y", 1, None, {"b": "1"}]}


def test_what_comes_in_is_always_text() -> None:
    assert resolve("${PORT}", PORT="8080") == "8080"
    assert isinstance(resolve("${FLAG}", FLAG="true"), str)


def test_it_is_replaced_once() -> None:
    assert resolve("${A}", A="${B}", B="no") == "${B}"


@pytest.mark.parametrize(("variables", "value"), [({}, "d:-x"), ({"A": ""}, "d:-x"), ({"A": "1"}, "1")])
def test_a_default_stands_in_for_what_is_unset_or_empty(variables: dict[str, str], value: str) -> None:
    assert resolve("${A:-d:-x}", **variables) == value


def test_a_variable_set_to_nothing_is_nothing() -> None:
    assert resolve("[${A}]", A="") == "[]"


def test_a_secret_is_read_from_the_file_that_its_variable_names(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    environment = Environment({"DB_FILE": str(tmp_path / "secret")})
    assert environment.resolve("${DB}") == "s3cret"
    assert environment.masker()("it is s3cret") == "it is ${DB}"


def test_segments_say_which_text_must_never_be_a_template() -> None:
    text = resolve("a {{ b }} ${X} c", X="{{ 7 * 7 }}")
    assert isinstance(text, Text)
    assert text.segments == (("a {{ b }} ", False), ("{{ 7 * 7 }}", True), (" c", False))


def test_a_default_is_no_template_either() -> None:
    text = resolve("${X:-{{ 7 }}")
    assert isinstance(text, Text)
    assert text.segments[0] == ("{{ 7 ", True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a: ${NAME}", "f:1: a: ${NAME} is not set (set it, or NAME_FILE, in the environment)"),
        ("a: ${a-b}", "f:1: a: ${a-b} is not a variable (write ${NAME} or ${NAME:-default})"),
        ("a: ${}", "f:1: a: ${} is not a variable (write ${NAME} or ${NAME:-default})"),
        (
            "a: ${GONE}",
            "f:1: a: ${GONE}: the file that GONE_FILE names (/no/such) cannot be read: No such file or directory",
        ),
    ],
)
def test_what_cannot_be_replaced_is_said_with_its_line(line: str, message: str) -> None:
    mistakes: list[Mistake] = []
    [document] = parse(line, Path("f"), "f", [])
    Environment({"GONE_FILE": "/no/such"}).resolve_document(document, mistakes)
    assert [str(mistake) for mistake in mistakes] == [message]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("BUYER_PASSWORD", "hunter2", "${BUYER_PASSWORD}"),
        ("ADMIN_PASSWORD", "12345", "${ADMIN_PASSWORD}"),
        ("STAFF", "Zx81-Spectrum", "${STAFF}"),
        ("SMS_URL", "twilio://sid:token@1/2", "${SMS_URL}"),
        ("HOOK_URL", "https://hooks.example/T01/abcdefghijklmnop0123", "${HOOK_URL}"),
        ("SHOP_URL", "https://shop.example/de/", "https://shop.example/de/"),
        ("SHOP_URL", "http://127.0.0.1:8471", "http://127.0.0.1:8471"),
        ("BUYER", "buyer@shop.example", "buyer@shop.example"),
        ("REGION", "europe", "europe"),
        ("QUANTITY", "1200", "1200"),
    ],
)
def test_secrets_are_masked_and_plain_values_are_left_readable(name: str, value: str, shown: str) -> None:
    environment = Environment({name: value})
    environment.resolve("${" + name + "}")
    assert environment.masker()(value) == shown


def test_the_password_inside_a_url_is_masked_wherever_it_shows() -> None:
    environment = Environment({"SHOP_URL": "https://me:open-sesame@shop.example/"})
    environment.resolve("${SHOP_URL}")
    assert environment.masker()("tried open-sesame") == "tried ${SHOP_URL_PASSWORD}"


def test_a_default_is_not_masked_because_it_stands_in_the_file() -> None:
    environment = Environment({})
    environment.resolve("${PASSWORD:-demo-password}")
    assert environment.masker()("demo-password") == "demo-password"


@given(st.text(min_size=6, max_size=30), st.text(max_size=5), st.text(max_size=5))
def test_encoded_forms_of_a_secret_are_masked(secret: str, before: str, after: str) -> None:
    mask = Masker({"S": secret})
    if not secret.isascii() or not secret.isprintable():
        return
    for encoded in (secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), secret.encode().hex()):
        assert mask(f"<{encoded}>") == "<${S}>"
    assert secret not in mask(json.dumps({"k": secret}))
    assert mask(f"-H {shlex.quote(secret)}").count("${S}") == 1
    raw = base64.b64encode(before.encode() + secret.encode() + after.encode()).decode()
    assert "${S}" in mask(raw)


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert Masker({"A": "abcd", "B": "abcdefgh"})("abcdefgh") == "${B}"


def test_a_run_can_add_what_it_saved() -> None:
    assert Masker({"A": "first-one"}).also({"token": "t0ken-t0ken"})("first-one t0ken-t0ken") == "${A} ${token}"


def test_mistakes_show_no_secret() -> None:
    from incident.settings import Settings
    from probes.files.yamlfile import validate

    mistakes: list[Mistake] = []
    [document] = parse('channels: {a: {webhook: "${HOOK}"}}', Path("f"), "f", [])
    document = Environment({"HOOK": "no-address-but-s3cret"}).resolve_document(document, mistakes)
    validate(Settings, document, mistakes)
    [message] = [str(mistake) for mistake in mistakes if "webhook" in mistake.path]
    assert "s3cret" not in message
    assert '"${HOOK}" is not an address' in message
