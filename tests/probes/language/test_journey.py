"""Journey files: what is taken, what is refused, and that the reference in docs/journeys.md is true."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from probes.files.mistakes import Mistake
from probes.files.secrets import Environment
from probes.files.validation import validate
from probes.files.yamlfile import Document, parse
from probes.language.expect import Expect, SlowerThan
from probes.language.filters import ALL
from probes.language.journey import Account, AlertRule, CertificateAlert, Journey, TlsSettings
from probes.language.kinds import KINDS, Step
from probes.language.matchers import NAMES
from probes.language.naming import wrong_names
from probes.language.saving import Save
from probes.result import Reason

DOCS = (Path(__file__).parents[3] / "docs" / "journeys.md").read_text()
MINIMAL: dict[str, Any] = {"journey": "j", "service": "s", "every": "30s", "base": "https://shop.example"}


def journey(*steps: dict[str, Any], **keys: Any) -> Journey:
    return Journey.model_validate({**MINIMAL, "steps": list(steps) or [{"get": "/"}], **keys})


def problems(**keys: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Journey.model_validate({**MINIMAL, "steps": [{"get": "/"}], **keys})
    return "\n".join(f"{error['loc']} {error['msg']}" for error in caught.value.errors())


def step_problems(**keys: Any) -> str:
    return problems(steps=[keys])


def test_defaults_are_as_documented() -> None:
    found = journey()
    assert (found.timeout, found.mutates, found.steps[0].poll, found.steps[0].follow) == (30.0, "none", 1.0, False)
    assert found.alert == AlertRule.model_validate({"after": "2 of 3", "clear": 2, "confirm": "3s", "severity": "SEV2"})
    assert found.alert.degraded is None
    assert journey(alert={"degraded": "none"}).alert.degraded is None


def test_a_step_is_named_after_what_it_does() -> None:
    steps = journey(
        {"get": "/a/{{ run_id }}"}, {"submit": "#f"}, {"check": "{{ 1 }}"}, {"name": "mine", "head": "/"}
    ).steps
    assert [step.name for step in steps] == ["get /a/{{ run_id }}", "submit #f", "check {{ 1 }}", "mine"]
    assert [step.kind for step in steps] == ["http", "submit", "check", "http"]
    assert steps[3].method == "HEAD"


def test_variables_are_at_hand_by_their_own_name_and_may_use_each_other() -> None:
    found = journey(vars={"quantity": 2, "twice": "{{ quantity * 2 }}", "who": "{{ account.user }}"})
    context = found.start({"account": {"user": "u"}, "run_id": "r"})
    assert (context["twice"], context["vars"]["twice"], context["who"]) == (4, 4, "u")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({}, "something to do"),
        ({"name": "x"}, "something to do"),
        ({"get": "/", "post": "/"}, "does one thing: get and post"),
        ({"get": "/", "check": "{{ 1 }}"}, "does one thing"),
        ({"get": "/", "fields": {"a": 1}}, "fields has no meaning in a get step; it belongs to submit steps"),
        ({"get": "/", "button": "b"}, "button has no meaning"),
        ({"submit": "#f", "json": {}}, "json has no meaning in a submit step"),
        ({"check": "{{ 1 }}", "expect": {"status": 200}}, "expect has no meaning in a check step"),
        ({"get": "/", "form": {}}, "get sends no form"),
        ({"head": "/", "json": {}}, "head sends no json"),
        ({"post": "/", "json": {}, "form": {}}, "one body: form and json"),
        ({"get": "/", "until": {"status": 200}}, "until needs within"),
        ({"get": "/", "within": "3s"}, "within belongs to until"),
        ({"get": "/", "poll": "3s"}, "poll belongs to until"),
        ({"get": "/", "until": {"status": 200}, "within": "31s"}, "longer than the whole run's timeout"),
        ({"get": "/", "expect": {"value": 1}}, "a get step has no value"),
        ({"get": "/", "gett": 1}, "Extra inputs"),
        ({"get": "/", "expect": {"statu": 200}}, "Extra inputs"),
        ({"get": "/", "when": "lines > 0"}, "not a condition"),
        ({"check": "{{ a }} == 1"}, "not a condition"),
        ({"get": "/{{ a"}, "bad template"),
        ({"get": ""}, "address is empty"),
        ({"get": "ftp://shop.example/"}, "is not an address"),
        ({"submit": "p["}, "not a CSS selector"),
        ({"get": "/", "expect": {"html": {"p[": "x"}}}, "not a CSS selector"),
        ({"get": "/", "expect": {"json": {"total": 1}}}, "not a JSONPath"),
        ({"get": "/", "expect": {"body": {"matches": "("}}}, "bad regex"),
        ({"get": "/", "expect": {"body": {"bigger": 1}}}, "is no matcher"),
        ({"get": "/", "expect": {"status": "fine"}}, "is no status"),
        ({"get": "/", "expect": {"slower_than": {}}}, "say degraded, down or both"),
        ({"get": "/", "expect": {"slower_than": {"degraded": "5s", "down": "1s"}}}, "shorter than down"),
        ({"get": "/", "save": {"a": {}}}, "say one of json"),
        ({"get": "/", "save": {"a": {"json": "$.a", "header": "b"}}}, "say one of json"),
        ({"get": "/", "save": {"a": {"json": "$.a", "attr": "b"}}}, "attr belongs to html"),
        ({"get": "/", "save": {"a": {"regex": "abc"}}}, "has no group"),
        ({"get": "/", "save": {"a-b": {"header": "x"}}}, "cannot be used in a template"),
        ({"get": "/", "save": {"account": {"header": "x"}}}, "a meaning of its own"),
        ({"get": "/", "headers": {"a b": "x"}}, "name of a header"),
        ({"get": "/", "timeout": 5}, "not a duration"),
        ({"tcp": "shop.example"}, "is not a host with its port"),
        ({"tcp": "shop.example:99999"}, "is not a host with its port"),
        ({"tcp": "a:25", "save": {"a": {"regex": "(x)"}}}, "expect a body"),
        ({"tcp": "a:25", "save": {"a": "value"}}, "a tcp step has no value to save"),
        ({"tls": "a:443", "expect": {"expires_in": "14d"}}, "say how much of its life must be left"),
        ({"tls": "a:443", "expect": {"status": 200}}, "a tls step has no status to expect"),
        ({"get": "/", "expect": {"expires_in": {"gt": "1d"}}}, "a get step has no expires_in"),
        ({"get": "/", "save": {"a": "value"}}, "a get step has no value to save"),
        ({"dns": "https://shop.example/"}, "is not a name"),
        ({"dns": "shop.example", "record": "ANY"}, "Input should be"),
        ({"sql": "select 1"}, "sql needs url"),
        ({"sql": "select 1", "url": "mysql://a/b"}, "not a database that sql can ask"),
        ({"sql": "", "url": "sqlite:///a.db"}, "needs a statement"),
        ({"sql": "delete from orders", "url": "sqlite:///a.db"}, "sql only reads"),
        ({"sql": "select 1; select 2", "url": "sqlite:///a.db"}, "sql asks one statement"),
        ({"sql": "select 1 {% if a %}{% endif %}", "url": "sqlite:///a.db"}, "a template is one {{"),
        ({"sql": 'select "{{ a }}" from b', "url": "sqlite:///a.db"}, "a template is one {{"),
        ({"sql": "select 1", "url": "sqlite:///a.db", "json": {}}, "json has no meaning in a sql step"),
        ({"promql": "up"}, "promql needs url"),
        ({"promql": "up", "url": "prometheus:9090"}, "not the address of a Prometheus"),
    ],
)
def test_a_step_that_cannot_be_is_refused(step: dict[str, Any], words: str) -> None:
    assert words in step_problems(**step)
    assert words in problems(cleanup=[step])


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"proxy": "socks5://proxy.example:1080"}, "not the address of a proxy"),
        ({"proxy": "proxy.example:3128"}, "not the address of a proxy"),
        ({"alert": {"certificate": {"within": "0"}}}, "greater than 0"),
        ({"steps": []}, "at least 1"),
        ({"base": "shop.example"}, "not the address of a shop"),
        ({"base": None}, "relative, but the journey has no base"),
        ({"base": None, "steps": [{"get": "basket"}]}, "relative, but the journey has no base"),
        ({"every": 30}, "not a duration"),
        ({"every": "0"}, "greater than 0"),
        ({"mutates": "all"}, "Input should be"),
        ({"labels": {"service": "x"}}, "set by Shopwatch itself"),
        ({"labels": {"a-b": "x"}}, "cannot be a label"),
        ({"labels": {"a": 1}}, "valid string"),
        ({"accounts": [{"password": "x"}]}, "required"),
        ({"accounts": [{"user": "u", "password": 12345}]}, "put it in quotes"),
        ({"accounts": [{"user": "u"}, {"user": "u"}]}, "is there twice"),
        ({"hosts": ["https://pay.example/x"]}, "is not a host"),
        ({"tls": {"key": "k.pem"}}, "key needs cert"),
        ({"vars": {"now": 1}}, "a meaning of its own"),
        ({"alert": {"after": "3 of 2"}}, "cannot be"),
        ({"alert": {"after": "often"}}, "is not N of M"),
        ({"alert": {"severity": "high"}}, "Input should be"),
        ({"alert": {"clear": 0}}, "greater than or equal"),
    ],
)
def test_a_journey_that_cannot_be_is_refused(keys: dict[str, Any], words: str) -> None:
    assert words in problems(**keys)


def test_names_that_nothing_sets_are_found() -> None:
    found = journey(
        {"get": "/{{ order }}", "save": {"order": {"json": "$.id"}}, "creates": "{{ order }}"},
        {"get": "/{{ order }}/{{ odrer }}", "when": "{{ maybe is defined }}"},
        {"post": "/", "json": {"who": ["{{ account.user }}"]}, "expect": {"json": {"$.a": "{{ missing }}"}}},
        headers={"X-Order": "{{ order }}"},
    )
    wrongs = [(wrong.at, str(wrong)) for wrong in wrong_names(found)]
    assert [at for at, _ in wrongs] == [
        ("steps", 0, "get"), ("steps", 1, "get"), ("steps", 2, "json"), ("steps", 2, "expect", "json", "$.a"),
    ]  # fmt: skip
    assert "saved only afterwards" in wrongs[0][1]
    assert "no accounts" in wrongs[2][1]


def test_a_name_that_changes_with_every_run_is_warned_about() -> None:
    named = [
        {"name": name, "get": "/"} for name in ("sku {{ vars.sku }}", "{{ sku }}", "{{ run_id }}", "{{ account.user }}")
    ]
    found = journey(*named, vars={"sku": "B-1"})
    assert [wrong.at for wrong in wrong_names(found)] == [("steps", 2, "name"), ("steps", 3, "name")]


def samples() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", DOCS, re.S | re.M)


@pytest.mark.parametrize("sample", samples())
def test_every_sample_of_the_reference_is_a_journey_or_a_part_of_one(sample: str) -> None:
    mistakes: list[Mistake] = []
    for document in parse(sample, Path("docs.yaml"), "docs.yaml", mistakes):
        data = document.data
        whole = data if isinstance(data, dict) and "journey" in data else {**MINIMAL, **_part(data)}
        resolved = Environment({"BUYER_PASSWORD": "p", "PROBE_TOKEN": "t"}).resolve(whole)
        validate(Journey, Document(resolved, Path("docs.yaml"), "docs.yaml", {}, 1), mistakes)
    assert mistakes == []


def _part(data: Any) -> dict[str, Any]:
    return {"steps": data} if isinstance(data, list) else {"steps": [{"get": "/"}], **data}


def keys_of(*models: type[BaseModel]) -> set[str]:
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def test_every_word_of_the_format_is_in_the_reference() -> None:
    words = keys_of(Journey, Step, Expect, SlowerThan, Save, AlertRule, CertificateAlert, TlsSettings, Account)
    words |= {*NAMES, *ALL, *(str(reason) for reason in Reason)}
    words |= {verb for kind in KINDS for verb in kind.verbs}
    assert sorted(word for word in words if f"`{word}`" not in DOCS and f"`{word}:" not in DOCS) == []


def test_the_schema_for_editors_names_every_key() -> None:
    schema = Journey.model_json_schema()
    assert keys_of(Journey) <= set(schema["properties"])
    assert keys_of(Step) <= set(schema["$defs"]["Step"]["properties"])
