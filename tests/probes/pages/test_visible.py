"""What evidence shows of a page."""

import time

import pytest

from probes.pages.page import Page
from probes.pages.visible import MAX_MESSAGE, complaints, visible


def shown(html: str) -> str | None:
    return visible(Page(html))


def test_a_page_is_its_title_and_its_text() -> None:
    page = "<title>Your\n basket</title><body><h1>Basket</h1><p>One  <b>book</b>.</p></body>"
    assert shown(page) == 'the page titled "Your basket": Basket One book.'


def test_colours_meant_for_a_terminal_are_left_out() -> None:
    assert shown("<pre>\x1b[31mException in\x00 auth\x1b[39m</pre>") == "the page: Exception in auth"


def test_only_the_main_part_is_shown_where_there_is_one() -> None:
    assert shown("<nav>Home Help</nav><main><p>Sold out</p></main><footer>Imprint</footer>") == "the page: Sold out"
    assert shown("<nav>Home</nav><div role=main>Sold out</div>") == "the page: Sold out"
    assert shown("<nav>Home</nav><main></main>") == "the page: Home"


def test_what_a_reader_does_not_see_is_left_out() -> None:
    unseen = (
        "<script>x()</script><style>p {}</style><noscript>no</noscript><p hidden>no</p><p style='display:none'>no</p>"
        "<select><option>Albania<option>Algeria</select><template><p>no</p></template><!-- no -->"
    )
    assert shown(f"<body>{unseen}<p>Pay now</p></body>") == "the page: Pay now"


@pytest.mark.parametrize(
    "message",
    [
        "<div role=alert>Your payment was <b>declined</b>.</div>",
        "<div class='alert alert-danger'>Your payment was declined.</div>",
        "<ul class=errorlist><li>Your payment was declined.</ul>",
        "<p class='text error-message'>Your payment was declined.</p>",
        "<div class=FormError>Your payment was declined.</div>",
    ],
)
def test_what_the_page_complains_of_comes_first(message: str) -> None:
    page = f"<title>Pay</title><main><h1>Checkout</h1>{message}</main>"
    seen = shown(page)
    assert seen is not None
    assert seen.startswith('the page titled "Pay", which says "Your payment was declined.": Checkout')


def test_each_complaint_is_said_once() -> None:
    page = "<div class=alert><p class=error>No card</p></div><p class=error>No name</p><p class=error>No card</p>"
    assert (shown(page) or "").startswith('the page, which says "No card" and "No name": ')


def test_the_complaints_alone_can_be_had() -> None:
    page = Page(b"<h1>Review</h1><div class=alert>Too busy</div><p class='error' hidden>No card</p>")
    assert complaints(page) == ['"Too busy"']
    assert complaints(Page(b"<div class=error>" * 400 + b"<p>x</p>" * 20_000)) == []


def test_classes_for_what_would_be_an_error_and_whole_pages_are_no_complaints() -> None:
    assert shown("<label class='aria-invalid:text-error'>Email</label>") == "the page: Email"
    assert shown("<body class=error-page>Sorry</body>") == "the page: Sorry"
    assert "says" not in (shown(f"<div class=error>{'word ' * MAX_MESSAGE}</div>") or "")


def test_a_page_without_anything_to_see_says_so() -> None:
    assert shown("<title>Shop</title><div id=app></div>") == 'the page titled "Shop", which shows no text'
    assert shown("<script>x()</script>") is None


@pytest.mark.by_the_clock
@pytest.mark.parametrize(
    "hostile",
    [
        "<div class=error>" * 400 + "<p>x</p>" * 20_000,
        "<p class='alert error'>x</p>" * 29_000,
        "<p class=error>" + "x y " * 500_000,
        "<div hidden>" * 29_000,
    ],
)
def test_hostile_pages_take_no_time(hostile: str) -> None:
    started = time.process_time()
    shown(hostile)
    assert time.process_time() - started < 2
