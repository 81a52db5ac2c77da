"""A shopper's cookies: the quick way for plain ones does what the standard library's jar would do."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.http.url import Url
from probes.running.cookies import Held, Jar

URLS = [
    "http://shop.example/a/b",
    "https://shop.example/",
    "http://127.0.0.1:8080/cart",
    "http://shop/",
    "http://[::1]/",
]

names = st.one_of(st.sampled_from(["session", "sid", "cart", "path", "Expires", "a.b", "$v", "ſ"]), st.text(max_size=5))
values = st.one_of(st.sampled_from(["", "x", "a=b", '"quoted"', "a b", "a,b", "ß", "{}"]), st.text(max_size=8))
ATTRIBUTES = """
    Path=/|path=/|Path=/a|Path|HttpOnly|Secure|Securely|SameSite=Lax|Max-Age=0|Max-Age=60|Domain=x.y|Domain=shop.example
    Domain=.example|Version=1|Port=80|Discard|Expires=0
"""
attributes = st.lists(st.sampled_from([part for line in ATTRIBUTES.split() for part in line.split("|")]), max_size=4)
between = st.sampled_from(["; ", ";", " ; ", ";  "])


@st.composite
def lines(draw: st.DrawFn) -> str:
    parts = [f"{draw(names)}={draw(values)}", *draw(attributes)]
    line = draw(between).join(parts)
    return "".join(character for character in line if character.isprintable())


def by_the_jar(url: str, answers: list[list[str]], then: str) -> tuple[set[tuple[object, ...]], str | None]:
    jar = httpx.Cookies()
    for answer in answers:
        request = httpx.Request("GET", url)
        headers = [(b"set-cookie", line.encode()) for line in answer]
        jar.extract_cookies(httpx.Response(200, headers=headers, request=request))
    request = httpx.Request("GET", then)
    request.headers.encoding = "utf-8"
    jar.set_cookie_header(request)
    return {told(cookie) for cookie in jar.jar}, request.headers.get("cookie")


def told(cookie: object) -> tuple[object, ...]:
    seen = ("name", "value", "domain", "path", "secure", "domain_specified", "path_specified", "version", "discard")
    return tuple(getattr(cookie, name) for name in seen)


@given(st.sampled_from(URLS), st.lists(st.lists(lines(), max_size=3), max_size=3), st.sampled_from(URLS))
def test_any_cookies_are_kept_and_sent_as_by_the_standard_library(
    url: str, answers: list[list[str]], then: str
) -> None:
    jar = Jar()
    for answer in answers:
        jar.take("GET", Url(url), answer)
    sent = jar.header("GET", Url(then))
    kept, expected = by_the_jar(url, answers, then)
    assert (sent or None) == (expected or None)
    assert {told(cookie) for cookie in jar.held} == kept


@pytest.mark.parametrize(("url", "sent"), [("https://shop.example/", "sid=1"), ("http://shop.example/", None)])
def test_a_secure_cookie_goes_over_https_only(url: str, sent: str | None) -> None:
    jar = Jar()
    jar.take("GET", Url("https://shop.example/"), ["sid=1; Path=/; Secure; HttpOnly"])
    assert jar.header("GET", Url(url)) == sent


def test_what_an_answer_saw_stays_when_the_jar_changes() -> None:
    jar, url = Jar(), Url("http://shop.example/")
    jar.take("GET", url, ["sid=1; Path=/"])
    then = Held(jar, url.host)
    jar.take("GET", url, ["sid=2; Path=/"])
    assert dict(then) == {"sid": "1"}
    assert dict(Held(jar, url.host)) == {"sid": "2"}


def test_no_more_than_fifty_cookies_of_an_answer_and_no_huge_one_are_taken() -> None:
    jar, url = Jar(), Url("http://shop.example/")
    jar.take("GET", url, [f"a={'x' * 9000}; Path=/", *(f"c{number}=1; Path=/" for number in range(60))])
    assert len(jar.held) == 50
