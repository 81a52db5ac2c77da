import pytest

from probes.importing.curl import read_curl
from probes.importing.recording import CannotImport, Exchange

CHROME = r"""curl 'https://shop.example/api/cart' \
  -X 'POST' \
  -H 'accept: application/json' \
  -H 'content-type: application/json' \
  -b 'sid=abc; lang=en' \
  --data-raw $'{"name":"O\'Brien","note":"caf\u00e9\\n"}' \
  --compressed ;
curl 'https://shop.example/' --insecure
"""


def one(text: str) -> Exchange:
    [exchange] = read_curl(text)
    return exchange


def test_what_chrome_copies_is_read_with_its_quotes_and_several_commands() -> None:
    first, second = read_curl(CHROME)
    assert (first.method, first.url) == ("POST", "https://shop.example/api/cart")
    assert first.json == {"name": "O'Brien", "note": "café\n"}
    assert first.header("cookie") == "sid=abc; lang=en"
    assert (second.method, second.insecure) == ("GET", True)


@pytest.mark.parametrize(
    ("words", "method", "form", "query"),
    [
        ("-d a=1 -d b=2", "POST", [("a", "1"), ("b", "2")], []),
        ("-da=1 -XPUT", "PUT", [("a", "1")], []),
        ("-G -d q=shoes --data-urlencode 'x=a b&c'", "GET", None, [("q", "shoes"), ("x", "a b&c")]),
        ("--data-urlencode 'x=a b'", "POST", [("x", "a b")], []),
        ("-F name=Ada -F 'note=hi;type=text/plain'", "POST", [("name", "Ada"), ("note", "hi")], []),
        ("-I", "HEAD", None, []),
        ("-sSkL -o /dev/null -w '%{http_code}' --max-time 5", "GET", None, []),
        ("--request=PATCH --data-raw=a=1", "PATCH", [("a", "1")], []),
    ],
)
def test_the_common_options_are_understood(
    words: str, method: str, form: list[tuple[str, str]] | None, query: list[tuple[str, str]]
) -> None:
    exchange = one(f"curl {words} https://shop.example/x")
    assert (exchange.method, exchange.form, exchange.query) == (method, form, query)
    assert exchange.path == "/x"


def test_json_user_and_follow() -> None:
    exchange = one("""curl --json '{"a": [1]}' -u ada:s3cret -L shop.example/api""")
    assert (exchange.url, exchange.follow, exchange.json) == ("http://shop.example/api", True, {"a": [1]})
    assert exchange.header("authorization") == "Basic YWRhOnMzY3JldA=="
    assert exchange.header("content-type") == "application/json"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no curl command"),
        ("wget https://shop.example", "is not curl"),
        ("curl -d @data.json https://shop.example", "data.json"),
        ("curl -F file=@photo.jpg https://shop.example", "photo.jpg"),
        ("curl -b jar.txt https://shop.example", "jar.txt"),
        ("curl 'https://shop.example", "is not closed"),
        ("curl $'https://shop.example", "is not closed"),
        ('curl "https://shop.example', "is not closed"),
        ("curl -d a=1", "no address"),
        ("curl ftp://shop.example", "not an http"),
        ('curl ^"https://shop.example^"', "bash"),
    ],
)
def test_what_cannot_be_imported_is_said(text: str, problem: str) -> None:
    with pytest.raises(CannotImport, match=problem):
        read_curl(text)
