"""Pages and their forms: what a browser would see and send, and pages that are made to hurt."""

import time
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.pages.forms import FormNotFound, Submission, find_form
from probes.pages.markup import HostilePage
from probes.pages.page import Page, attribute, check_selector, text_of

URL = "https://shop.example/login?next=/a#top"


def submit(html: str, fields: dict[str, Any] | None = None, button: str | None = None, at: str = "form") -> Submission:
    return find_form(Page(html, URL), at).submit(fields or {}, button)


def sent(html: str, fields: dict[str, Any] | None = None, button: str | None = None) -> list[tuple[str, str]]:
    return submit(html, fields, button).fields


def form(controls: str) -> str:
    return f"<form method=post>{controls}</form>"


def test_text_is_what_a_reader_sees() -> None:
    page = Page("<p id=a>  £\u00a049.99\n <b>each</b> </p><p id=b></p>")
    assert text_of(page.select("#a")[0]) == "£ 49.99 each"
    assert text_of(page.select("#b")[0]) == ""


def test_an_attribute_without_a_value_is_empty_and_a_missing_one_none() -> None:
    node = Page("<input CHECKED name=x>").select("input")[0]
    assert (attribute(node, "checked"), attribute(node, "NAME"), attribute(node, "value")) == ("", "x", None)


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ("价格".encode("gbk"), "gb2312", "价格"),
        (b'<meta charset="gbk">' + "价格".encode("gbk"), None, "价格"),
        (b"\xef\xbb\xbf<p>" + "é".encode(), "latin-1", "é"),
        (b"\x80", "iso-8859-1", "€"),
        (b"a\xff", None, "a\ufffd"),
        ("é".encode(), "no-such-charset", "é"),
        ("é".encode(), "base64", "é"),
    ],
)
def test_a_page_is_decoded_as_a_browser_would(body: bytes, charset: str | None, text: str) -> None:
    page = Page(body if b"<p>" in body else b"<p>" + body, URL, charset)
    assert text_of(page.select("p")[0]) == text


@pytest.mark.parametrize(
    "selector", ["#a", "input[name=x]", "a > b + c ~ d", "p:has(b)", '[a="]"]', "li:nth-child(2n+1)"]
)
def test_a_good_selector_is_taken(selector: str) -> None:
    assert check_selector(selector) == selector


@pytest.mark.parametrize(
    "selector",
    ["", " ", "p[", "[a=b", "p(", "p,", ">>", "a::before", "foo:bar", "p:nth-child(", "input[name='x]", "a" * 3000],
)
def test_a_bad_selector_is_told(selector: str) -> None:
    with pytest.raises(ValueError, match="selector"):
        check_selector(selector)


def test_a_selector_that_could_take_minutes_is_refused_when_it_is_read() -> None:
    with pytest.raises(ValueError, match="one :has"):
        check_selector("div:has(div:has(p))")


FORMATTING = "<p>" + "".join(f"<b a{i}>" for i in range(400)) + "</p>"
HOSTILE = {
    "2 MiB of div": "<div>" * 400_000,
    "100k nested": "<div>" * 50_000 + "</div>" * 5_000,
    "nested spans": "<span>" * 20_000,
    "formatting left open": FORMATTING + "<p>x</p>" * 20_000,
    "one huge formatting element": "<p><b title=" + "x" * 1_000_000 + "></p>" + "<p>x</p>" * 400,
    "200k attributes": "<div " + " ".join(f"a{i}=1" for i in range(200_000)) + ">",
    "attributes that hide": "<div " + " ".join(f"a{i}='>'" for i in range(50_000)) + ">",
    "attributes with tags in them": "<div " + " ".join(f"a{i}='<'" for i in range(50_000)) + ">",
}
for _name, _start in {
    "a script that is none, in an attribute": "<p title='<script>'>",
    "a comment that is none, in an attribute": "<p title='<!--'>",
    "a comment that has ended already": "<!-->",
    "a title that is none, in an image": "<svg><title>",
    "a style that is none, in a selection": "<select><xmp></select>",
}.items():
    HOSTILE[f"nested behind {_name}"] = _start + "<div>" * 50_000
HOSTILE["many tags of many attributes"] = ("<div " + " ".join(f"a{i}=1" for i in range(2900)) + ">") * 60
LARGE = {
    "2 MiB of text": "x" * (2 << 20),
    "comments never closed": "<!--" * 50_000,
    "scripts never closed": "<script>" * 50_000,
    "angle brackets": "<" * 59_000,
    "flat": "<div></div>" * 29_000,
    "4900 nested": "<div>" * 4900,
    "formatting left open, a little": "<p>" + "<b>" * 200 + "</p>" + "<p>x</p>" * 2000,
    "comments and quotes": "<p title='<script>'>x</p><!-- <div> --><script>'<div>'</script>" * 6000,
    "pictures with titles": "<svg><title>a > b</title><path d='M 0 0'/></svg>" * 8000,
    "rows": "<table>" + "<tr><td>x<td>y" * 15_000,
    "a script": "<script>" + "if(a<b){x=>y};" * 20_000 + "</script>",
    "data in an attribute": "<div data-x='" + '{"a": 1, "b": [2]}, ' * 20_000 + "'>",
}


@pytest.mark.by_the_clock
@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_page_is_refused_at_once(html: str) -> None:
    started = time.thread_time()
    with pytest.raises(HostilePage):
        Page(html).select("#x")
    assert time.thread_time() - started < 1


@pytest.mark.by_the_clock
@pytest.mark.parametrize("html", LARGE.values(), ids=LARGE)
def test_a_large_page_is_read_in_a_moment(html: str) -> None:
    started = time.thread_time()
    assert Page(html).select("#x") == []
    assert time.thread_time() - started < 1


@pytest.mark.by_the_clock
def test_a_form_of_thousands_of_fields_hundreds_deep_is_filled_in_in_a_moment() -> None:
    html = "<form method=post>" + "<fieldset>" * 400 + "<input name=a value=1>" * 9_000
    started = time.thread_time()
    assert len(submit(html).fields) == 9_000
    assert time.thread_time() - started < 1
    with pytest.raises(HostilePage, match="more than 10000 fields"):
        submit("<form>" + "<input name=a>" * 10_000)


def test_a_costly_selector_is_not_run_on_a_huge_page() -> None:
    with pytest.raises(HostilePage, match="too many"):
        Page("<p></p>" * 25_000).select("p:nth-child(3)")


@given(st.text(alphabet="<>/ab='\" !-pdivscript\n", max_size=300))
def test_no_page_is_more_than_refused(html: str) -> None:
    try:
        page = Page(html, URL)
        find_form(page, "form").submit({"a": "b"})
    except (HostilePage, FormNotFound):
        pass


CONTROLS = [
    ("<input name=a value=1>", [("a", "1")]),
    ("<input name=a>", [("a", "")]),
    ("<input value=1>", []),
    ("<input type=hidden name=a value=1>", [("a", "1")]),
    ("<input name=a value=1 disabled>", []),
    ("<input type=checkbox name=a value=1>", []),
    ("<input type=checkbox name=a value=1 checked>", [("a", "1")]),
    ("<input type=checkbox name=a checked>", [("a", "on")]),
    ("<input type=radio name=a value=1><input type=radio name=a value=2 checked>", [("a", "2")]),
    ("<input type=reset name=a value=1><input type=button name=b value=1>", []),
    ("<input type=file name=a>", [("a", "")]),
    ("<textarea name=a>\n\nx\ny</textarea>", [("a", "\r\nx\r\ny")]),
    ("<select name=a><option>1<option>2</select>", [("a", "1")]),
    ("<select name=a><option value=x>1<option selected>2</select>", [("a", "2")]),
    ("<select name=a><option disabled>1<option> two  words </select>", [("a", "two words")]),
    ("<select name=a><optgroup disabled><option>1</optgroup><option>2</select>", [("a", "2")]),
    ("<select name=a multiple><option selected>1<option>2<option selected>3</select>", [("a", "1"), ("a", "3")]),
    ("<select name=a multiple><option>1</select>", []),
    ("<select name=a size=3><option>1</select>", []),
    ("<select name=a></select>", []),
    ("<fieldset disabled><legend><input name=a></legend><input name=b></fieldset>", [("a", "")]),
    ("<datalist><input name=a></datalist>", []),
    ("<input type=hidden name=_charset_>", [("_charset_", "utf-8")]),
    ("<button name=a value=1>Go</button><input type=submit name=b>", [("a", "1")]),
    ("<input type=submit disabled name=a><button name=b>Go</button>", [("b", "")]),
    ("<input type=image name=a>", [("a.x", "0"), ("a.y", "0")]),
    ("<button type=button name=a value=1>Menu</button>", []),
]


@pytest.mark.parametrize(("controls", "fields"), CONTROLS)
def test_a_form_sends_its_successful_controls(controls: str, fields: list[tuple[str, str]]) -> None:
    assert sent(form(controls)) == fields


def test_fields_are_set_added_and_removed() -> None:
    html = form("<input type=hidden name=csrf value=t><input name=user><input name=old value=1>")
    assert sent(html, {"user": "u", "old": None, "new": 5}) == [("csrf", "t"), ("user", "u"), ("new", "5")]


def test_true_and_false_set_a_checkbox_and_a_list_sends_several() -> None:
    html = form("<input type=checkbox name=a value=yes><input type=checkbox name=b checked>")
    assert sent(html, {"a": True, "b": False, "c": ["1", "2"], "d": True}) == [
        ("a", "yes"), ("c", "1"), ("c", "2"), ("d", "true"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("button", "pair"),
    [("second", ("second", "2")), ("by-id", ("third", "3")), ("3", ("third", "3")), ("Buy it", ("fourth", ""))],
)
def test_a_button_is_found_by_name_id_value_or_text(button: str, pair: tuple[str, str]) -> None:
    html = form(
        "<button name=first value=1>A</button><button name=second value=2>B</button>"
        "<input type=submit id=by-id name=third value=3><button name=fourth> Buy  it </button>"
    )
    assert sent(html, button=button) == [pair]


def test_a_button_that_is_not_there_or_disabled_is_told() -> None:
    with pytest.raises(FormNotFound, match="it has 'go'"):
        submit(form("<button name=go>"), button="buy")
    with pytest.raises(FormNotFound, match="disabled"):
        submit(form("<button name=go disabled>"), button="go")


def test_controls_elsewhere_belong_to_the_form_that_they_name() -> None:
    html = "<form id=f></form><form id=g><input name=a form=f></form><input name=b form=f><input name=c form=none>"
    assert submit(html, at="#f").fields == [("a", ""), ("b", "")]
    assert submit(html, at="#g").fields == []


def test_a_form_between_table_rows_keeps_its_controls() -> None:
    html = "<table><form id=f method=post><tr><td><input name=a value=1></td></tr></form></table>"
    assert submit(html, at="#f").fields == [("a", "1")]


def test_a_form_is_found_by_what_is_in_it() -> None:
    assert submit("<form action=/a><input name=x></form><form action=/b><input name=y></form>", at="[name=y]").url == (
        "https://shop.example/b?y="
    )


@pytest.mark.parametrize(
    ("html", "method", "url"),
    [
        ("<form>", "GET", "https://shop.example/login?"),
        ("<form method=post>", "POST", "https://shop.example/login?next=/a"),
        ("<form method=POST action=''>", "POST", "https://shop.example/login?next=/a"),
        ("<form method=post action='next?x=1#y'>", "POST", "https://shop.example/next?x=1"),
        ("<base href=/deep/><form method=post action=next>", "POST", "https://shop.example/deep/next"),
        ("<base href=/deep/><form method=post>", "POST", "https://shop.example/login?next=/a"),
        ("<form method=post action=//pay.example/x>", "POST", "https://pay.example/x"),
        ("<form action='/q?old=1'>", "GET", "https://shop.example/q?"),
        ("<form method=get action=/a><button formmethod=post formaction=/b>", "POST", "https://shop.example/b"),
    ],
)
def test_a_form_leads_where_a_browser_would_go(html: str, method: str, url: str) -> None:
    submission = submit(html)
    assert (submission.method, submission.url.rstrip("?")) == (method, url.rstrip("?"))


@pytest.mark.parametrize("action", ["javascript:alert(1)", "mailto:a@b.example", "http://[::1", "file:///etc/passwd"])
def test_a_form_that_leads_out_of_the_web_is_refused(action: str) -> None:
    with pytest.raises(FormNotFound, match="address"):
        submit(f"<form action='{action}'>")


@pytest.mark.parametrize("html", ["<form method=dialog><button>", "<form method=post><button formmethod=dialog>"])
def test_a_form_that_only_closes_a_dialog_is_not_sent(html: str) -> None:
    with pytest.raises(FormNotFound, match="only closes a dialog"):
        submit(html)


def test_what_is_there_is_said_when_a_form_is_not() -> None:
    with pytest.raises(FormNotFound, match="nothing matches #login; the page's forms: #search, form"):
        submit("<form id=search></form><form action=/x></form>", at="#login")
    with pytest.raises(FormNotFound, match="outside any form"):
        submit("<p>", at="p")


def test_encodings() -> None:
    plain = submit("<form method=post><input name='a b' value='1&2=ü'>")
    assert plain.content_type == "application/x-www-form-urlencoded"
    assert plain.body == b"a+b=1%262%3D%C3%BC"
    text = submit("<form method=post enctype=text/plain><input name=a value=1>")
    assert (text.content_type, text.body) == ("text/plain", b"a=1\r\n")
    parts = submit("<form method=post enctype=multipart/form-data><input name='a\"b' value=ü><input type=file name=f>")
    assert parts.body is not None
    assert parts.content_type is not None
    boundary = parts.content_type.partition("boundary=")[2].encode()
    assert parts.body.split(b"--" + boundary) == [
        b"",
        b'\r\nContent-Disposition: form-data; name="a%22b"\r\n\r\n\xc3\xbc\r\n',
        b'\r\nContent-Disposition: form-data; name="f"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n",
        b"--\r\n",
    ]


def test_a_form_is_sent_in_the_pages_encoding() -> None:
    page = Page("<form method=post><input name=a value=价>".encode("gbk"), URL, "gbk")
    assert find_form(page, "form").submit({"b": "é"}).body == b"a=%BC%DB&b=%A8%A6"


@pytest.mark.by_the_clock
@pytest.mark.parametrize("charset", ["punycode", "idna", "undefined", "unicode_escape", "utf-7", "zip", "x" * 5000])
def test_a_charset_that_is_none_of_the_webs_is_read_as_utf_8(charset: str) -> None:
    started = time.thread_time()
    page = Page(
        "<form accept-charset=punycode method=post><input name=a value=é>".encode() + b"-a" * 500_000, URL, charset
    )
    assert (page.encoding, find_form(page, "form").submit({}).body) == ("utf-8", b"a=%C3%A9")
    assert time.thread_time() - started < 1


@given(st.dictionaries(st.text("abc[]", min_size=1), st.text(st.characters(codec="utf-8"), max_size=20)))
def test_fields_arrive_as_they_were_given(fields: dict[str, str]) -> None:
    body = submit("<form method=post>", fields).body
    assert body is not None
    arrived = dict(parse_qsl(body.decode(), keep_blank_values=True))
    wanted = {
        name: value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n") for name, value in fields.items()
    }
    assert arrived == wanted
