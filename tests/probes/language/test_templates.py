"""Templates: what they are worth, what stays text, and what a hostile one cannot do."""

import gc
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.files.secrets import Environment
from probes.language.bounds import MAX_SECONDS
from probes.language.sandbox import for_templates
from probes.language.templates import Template, TemplateFailed, Tree, compile_condition
from probes.language.values import MISSING, to_number

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTEXT: dict[str, Any] = {
    "account": {"user": "buyer@example.com"},
    "cart": {"items": [{"sku": "B-1", "price": Decimal("9.99")}, {"sku": "B-2", "price": Decimal("0.01")}]},
    "total": Decimal("10.00"),
    "text": "£1,234.50",
    "null": None,
    "now": NOW,
    "big": Decimal("1E+3"),
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ 0.1 + 0.2 }}", Decimal("0.3")),
        ("{{ 1 / 4 }}", Decimal("0.25")),
        ("{{ 7 // 2 }}", 3),
        ("{{ 0.1 + 0.2 == 0.3 }}", True),
        ("{{ total }}", Decimal("10.00")),
        ("{{ null }}", None),
        ("{{ cart }}", CONTEXT["cart"]),
        ("{{ cart.items[0].sku }}", "B-1"),
        ("{{ cart.items | sum(attribute='price') == total }}", True),
        ("{{ cart.items | map(attribute='sku') | join(', ') }}", "B-1, B-2"),
        ("{{ cart.items | length }}", 2),
        ("{{ text | number }}", Decimal("1234.50")),
        ("{{ '3' | int + 1 }}", 4),
        ("{{ 2.675 | round(2) }}", Decimal("2.68")),
        ("{{ 2.5 | round }}", Decimal(3)),
        ("{{ nothing | default(5) }}", 5),
        ("{{ 'yes' if nothing is defined else 'no' }}", "no"),
        ("{{ now.year }}", 2026),
        ("{{ [1, 2] | map('string') }}", ["1", "2"]),
    ],
)
def test_a_single_expression_keeps_its_type(source: str, value: Any) -> None:
    rendered = Template(source).render(CONTEXT)
    assert rendered == value
    assert type(rendered) is type(value)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("/orders/{{ total }}", "/orders/10.00"),
        (" {{ total }}", " 10.00"),
        ("{{ total }}{{ total }}", "10.0010.00"),
        ("{{ big }} p", "1000 p"),
        ("x{{ null }}y", "xy"),
        ("{{ true }}!", "true!"),
        ("{{ [1, 'a'] }}!", '[1, "a"]!'),
        ("at {{ now }}", "at 2026-03-01T12:00:00+00:00"),
        ("{% for item in cart.items %}{{ item.sku }}{{ ', ' if not loop.last }}{% endfor %}", "B-1, B-2"),
        ("{% for i in range(2) %}{{ 'a'.upper() }}{{ i }}{% endfor %}", "A0A1"),
        ("{{ '%.2f' | format(2.675) }} €", "2.68 €"),
        ("{{ '%05d' | format(42) }}-", "00042-"),
        ("{{ 'a' ~ 1.50 ~ none }}-", "a1.50-"),
        ("line\n{{ 1 }}\n", "line\n1\n"),
    ],
)
def test_anything_else_becomes_text(source: str, text: str) -> None:
    assert Template(source).render(CONTEXT) == text


def test_plain_text_is_rendered_without_any_work() -> None:
    template = Template("/basket/")
    assert template.constant
    assert template.render({}) is template.source
    data = {"a": [1, {"b": "c"}]}
    assert Tree(data).render({}) is data


def test_a_tree_renders_its_texts_and_leaves_the_rest() -> None:
    tree = Tree({"sku": "B", "quantity": "{{ 1 + 1 }}", "lines": ["{{ total }}", 3, None, True]})
    assert tree.render(CONTEXT) == {"sku": "B", "quantity": 2, "lines": [Decimal("10.00"), 3, None, True]}


def test_what_the_environment_brings_in_is_never_a_template() -> None:
    environment = Environment({"PASSWORD": "{{ total }}", "NAME": "a{% x"})
    assert Template(environment.resolve("${PASSWORD}")).render(CONTEXT) == "{{ total }}"
    assert Template(environment.resolve("{{ total }}-${PASSWORD}-${NAME}")).render(CONTEXT) == "10.00-{{ total }}-a{% x"
    assert Template(environment.resolve("{{ '${PASSWORD}' ~ total }}")).render(CONTEXT) == "{{ total }}10.00"
    with pytest.raises(ValueError, match="bad template"):
        Template(environment.resolve("{{ ${PASSWORD} }}"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{{ cart.missing }}", "no attribute 'missing'"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 'abc' | number }}", "no number"),
        ("{{ 'a' < 1 }}", "not supported"),
        ("x {{ nothing }}", "'nothing' is undefined"),
        ("{{ not nothing }}", "'nothing' is undefined"),
    ],
)
def test_a_template_that_fails_says_which_and_why(source: str, words: str) -> None:
    with pytest.raises(TemplateFailed, match=words) as caught:
        Template(source).render(CONTEXT)
    assert source in str(caught.value)


@pytest.mark.parametrize("source", ["{{ a", "{{ }}", "{% if %}", "{{ a | nofilter }}", "{% for x in y %}", "{{ 1 1 }}"])
def test_a_template_that_cannot_be_is_told_when_it_is_read(source: str) -> None:
    with pytest.raises(ValueError, match="bad template"):
        Template(source)


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ cart.__init__.__globals__ }}",
    "{{ () | attr('__class__') }}",
    "{{ cart.items | map(attribute='__class__') | list }}",
    "{{ now.__class__ }}",
    "{{ uuid.__globals__ }}",
    "{{ self }}",
    "{{ self.__init__ }}",
    "{{ cycler }}",
    "{{ namespace }}",
    "{{ lipsum.__globals__ }}",
    "{{ cart.update({'a': 1}) }}",
    "{{ cart.items.append(1) }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{0.__class__}' | format(1) }}",
    "{% for x in [1] %}{{ loop.__init__ }}{% endfor %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{{ now.astimezone }}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_a_hostile_template_reaches_nothing(source: str) -> None:
    with pytest.raises((ValueError, TemplateFailed)):
        Template(source).render({**CONTEXT, "uuid": for_templates(lambda: "u")})


DOUBLED = "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}"
BLOW_UPS = [
    "{{ 'x' * 10 ** 9 }}",
    "{{ [1] * 10 ** 9 }}",
    "{{ 9 ** 9 ** 9 }}{{ 9 ** (9 ** 9) }}",
    "{{ 2 ** (10 ** 10) }}",
    "{{ 10.5 ** 999999999 }}",
    "{% set x = 3 %}" + "{% set x = x * x %}" * 40 + "{{ x }}",
    "{{ range(10 ** 9) | list }}",
    "{{ range(999999999) | sum }}",
    "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "{% for a in range(9999) %}{% for b in range(9999) %}{{ 'x' }}{% endfor %}{% endfor %}",
    "{{ 'x' | center(999999999) }}",
    "{{ 'x'.center(999999999) }}",
    "{{ 'x'.ljust(999999999) }}",
    "{{ 'x'.zfill(999999999) }}",
    "{{ '%999999999d' | format(1) }}",
    "{{ '%.999999999f' | format(1) }}",
    "{{ '%*d' | format(999999999, 1) }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{{ 1 | round(999999999) }}",
    "{{ ('a' * 60000).replace('a', 'b' * 60000) }}",
    "{{ ('a' * 60000) | replace('a', 'b' * 60000) }}",
    "{{ range(9999) | join('b' * 60000) }}",
    "{% macro a() %}{{ a() }}{{ a() }}{% endmacro %}{{ a() }}",
    "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% for x in range(9000) %}{{ 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyy' }}{% endfor %}",
    DOUBLED,
    "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x == [x] }}",
    "{% set x = [1] %}" + "{% set x = {'a': x, 'b': x} %}" * 60 + "{{ x }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "-" * 5000 + "1 }}",
    "{{ " + "[" * 500 + "]" * 500 + " }}{{ nothing }}",
    "{{ ('9' * 5000) | int }}",
    "{{ '1e999999' | number }}",
    "{{ '1e999999' | int }}",
]


@pytest.mark.by_the_clock
@pytest.mark.parametrize("source", BLOW_UPS)
def test_a_template_that_would_blow_up_is_stopped_at_once(source: str) -> None:
    started = time.thread_time()
    with pytest.raises((ValueError, TemplateFailed)):
        Template(source).render(CONTEXT)
    assert time.thread_time() - started < MAX_SECONDS + 0.75


def test_the_turns_of_all_loops_are_counted_together() -> None:
    with pytest.raises(TemplateFailed, match="more than 10000 turns"):
        Template("{% for a in range(200) %}{% for b in range(51) %}{% endfor %}{% endfor %}").render({})
    assert Template("{% for a in range(90) %}{% for b in range(90) %}{% endfor %}{% endfor %}").render({}) == ""


@pytest.mark.by_the_clock
def test_a_large_value_in_a_loop_is_bounded_in_time() -> None:
    gc.disable()  # what the collector does to the heap of a whole test run is not the template's doing
    started = time.thread_time()
    with pytest.raises(TemplateFailed):
        source = "{% for i in range(9999) %}{% if items | sort | first == i %}{% endif %}{% endfor %}"
        Template(source).render({"items": list(range(90_000, 0, -1))})
    gc.enable()
    assert time.thread_time() - started < MAX_SECONDS + 0.75


@pytest.mark.parametrize("source", ["{{ a }} == 3", "lines > 0", "true", "{{ a }}{{ b }}"])
def test_a_condition_must_be_one_expression(source: str) -> None:
    with pytest.raises(ValueError, match="not a condition"):
        compile_condition(source)


def test_names_that_a_template_asks_for_are_not_required() -> None:
    template = Template("{{ a + (b | default(0)) if c is defined else d }}")
    assert template.names == {"a", "b", "c", "d"}
    assert template.required == {"a", "d"}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("£49.99", "49.99"), ("$1,234.50", "1234.50"), ("1.234,50 €", "1234.50"), ("1 234,50 zł", "1234.50"),
        ("CHF 1'234.50", "1234.50"), ("￥１２", "12"), ("¥1,234", "1234"), ("12,34", "12.34"), ("0,500", "0.500"),
        ("1,234,567", "1234567"), ("1.234.567", "1234567"), ("-3", "-3"), ("−£5.00", "-5.00"), ("£-5", "-5"),
        ("20 %", "20"), ("Total: 7 items", "7"), ("3.14159", "3.14159"), ("(12)", "12"), ("12.", "12"),
    ],
)  # fmt: skip
def test_a_price_is_read_as_shops_write_it(text: str, number: str) -> None:
    assert Template("{{ text | number }}").render({"text": text}) == Decimal(number)


@pytest.mark.parametrize("text", ["", "free", "2 x £5.00", "10-12"])
def test_a_text_without_one_number_is_none(text: str) -> None:
    with pytest.raises(TemplateFailed, match="number"):
        Template("{{ text | number }}").render({"text": text})


def test_the_decimal_separator_can_be_said() -> None:
    assert Template("{{ '1,234' | number(decimal=',') }}").render({}) == Decimal("1.234")
    assert Template("{{ '1.234' | number(decimal=',') }}").render({}) == Decimal(1234)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4), st.decimals(min_value=1, max_value=10**6, places=2))
def test_sums_in_templates_are_exact(a: Decimal, b: Decimal) -> None:
    assert Template("{{ a + b - a == b }}").render({"a": a, "b": b}) is True
    assert to_number(Template("{{ a }} ").render({"a": a})) == a


@given(st.text(max_size=200))
def test_no_text_of_a_file_breaks_more_than_itself(source: str) -> None:
    try:
        Template(source).render({})
    except (ValueError, TemplateFailed):
        pass


def test_missing_is_false_and_says_nothing() -> None:
    assert not MISSING
    assert repr(MISSING) == "nothing"
