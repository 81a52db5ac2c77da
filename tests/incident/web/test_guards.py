import pytest

from incident.web.guards import Names, Peer, foreign, is_loopback, wrong_content_type

NAMES = Names.of("127.0.0.1", "https://status.shop.example", ())


def peer(client: str | None = "127.0.0.1", server: str = "127.0.0.1", method: str = "POST", **headers: str) -> Peer:
    given = {"host": "127.0.0.1:8470", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Peer(method, given, client, server)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8470",
        "localhost:8470",
        "LOCALHOST",
        "[::1]:8470",
        "127.0.0.53",
        "status.shop.example",
        "status.shop.example:443",
    ],
)
def test_own_names_are_no_foreign_host(host: str) -> None:
    assert foreign(peer(host=host), NAMES) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8470", "", "127.0.0.1.evil.example", "localhost.evil.example", "203.0.113.9", "[::1",
     "localhost@evil.example", "localhost, evil.example", "evil.example#localhost"],
)  # fmt: skip
def test_any_other_name_is_a_foreign_host(host: str) -> None:
    assert "Host" in str(foreign(peer(host=host), NAMES))


def test_the_address_that_was_connected_to_is_an_own_name() -> None:
    names = Names.of("0.0.0.0", None, ())
    assert foreign(peer(host="192.0.2.7:8470", server="192.0.2.7"), names) is None
    assert foreign(peer(host="192.0.2.8:8470", server="192.0.2.7"), names) is not None


def test_a_name_that_the_settings_give_is_an_own_name() -> None:
    names = Names.of("0.0.0.0", None, (), ("Shopwatch.internal.example",))
    assert foreign(peer(host="shopwatch.internal.example:8470", server="192.0.2.7"), names) is None


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8470", "https://status.shop.example"])
def test_own_origins_are_welcome(origin: str) -> None:
    assert foreign(peer(origin=origin), NAMES) is None


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://127.0.0.1:3000", "https://127.0.0.1:8470", "http://status.shop.example",
     "file://", "http://127.0.0.1:8470, https://evil.example", "http://[", "chrome-extension://abc"],
)  # fmt: skip
def test_any_other_origin_is_foreign(origin: str) -> None:
    assert "Origin" in str(foreign(peer(origin=origin), NAMES))


def test_tls_that_ends_at_a_trusted_proxy_is_no_foreign_origin() -> None:
    names = Names.of("127.0.0.1", "https://status.shop.example", ("127.0.0.1/32",))
    assert foreign(peer(host="localhost:8470", origin="https://localhost:8470"), names) is None


def test_a_browser_that_says_cross_site_is_believed() -> None:
    assert "another site" in str(foreign(peer(sec_fetch_site="cross-site"), NAMES))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_a_program_on_this_machine_is_loopback(address: str) -> None:
    assert is_loopback(peer(client=address), NAMES)


@pytest.mark.parametrize("address", ["192.0.2.7", "::ffff:192.0.2.7", "testclient", None, "0.0.0.0"])
def test_anybody_else_is_not(address: str | None) -> None:
    assert not is_loopback(peer(client=address), NAMES)


@pytest.mark.parametrize(
    "header",
    ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "x-real-ip", "cf-connecting-ip"],
)
def test_what_came_through_a_proxy_is_not_loopback(header: str) -> None:
    assert not is_loopback(peer(**{header: "127.0.0.1"}), NAMES)


def test_where_proxies_are_trusted_nobody_is_loopback() -> None:
    assert not is_loopback(peer(), Names.of("127.0.0.1", None, ("10.0.0.0/8",)))


def test_a_web_page_in_a_browser_on_this_machine_is_not_loopback() -> None:
    assert not is_loopback(peer(method="GET", origin="https://evil.example"), NAMES)
    assert not is_loopback(peer(method="GET", host="evil.example"), NAMES)
    assert not is_loopback(peer(method="GET", sec_fetch_site="cross-site"), NAMES)


@pytest.mark.parametrize("given", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_taken(given: str) -> None:
    assert wrong_content_type(peer(content_type=given, content_length="2"), ("application/json",)) is None


@pytest.mark.parametrize(
    "given", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "multipart/form-data"]
)
def test_what_a_form_can_send_is_not(given: str) -> None:
    assert given in str(wrong_content_type(peer(content_type=given), ("application/json",)))


def test_only_a_request_without_a_body_needs_no_type() -> None:
    assert wrong_content_type(peer(), ("application/json",)) is None
    assert wrong_content_type(peer(content_length="0"), ("application/json",)) is None
    assert wrong_content_type(peer(content_length="2"), ("application/json",)) is not None
    assert wrong_content_type(peer(transfer_encoding="chunked"), ("application/json",)) is not None
