"""The shipped journeys that watch the business, run against a seeded database: up where all is well, and down at the
right step where one thing is not."""

import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from probes.examples import FOLDER, examples
from probes.files.loading import load_file
from probes.files.mistakes import Mistake
from probes.files.secrets import Environment
from probes.language.journey import Journey
from probes.result import Outcome, Reason, Result
from probes.running.context import RunContext
from probes.running.runner import run_journey
from tests.postgresql import serving
from tests.probes.shop import Reply, Request, Shop, redirect

pytestmark = pytest.mark.anyio

DOCS = (Path(__file__).parents[3] / "docs" / "business.md").read_text()
TABLES = re.findall(r"^```sql\n(.*?)^```", DOCS, re.S | re.M)[0]
Write = Callable[[str], object]
TRADE = [  # (statement, column of instants) of a shop where all is well; minutes ago
    """insert into orders values ('1001', 'ada', '192.0.2.1', 20.00, 4.99, 2.00, 22.99, 'TEN',
       {30}, {29}, {25}, {25}, {20}, {15}, {10}, null)""",
    """insert into orders values ('1002', 'bob', '192.0.2.2', 9.99, 0, 0, 9.99, null,
       {5}, {4}, null, null, null, null, null, null)""",
    """insert into orders values ('1003', 'eve', '192.0.2.3', 9.99, 0, 0, 9.99, null,
       {9000}, null, null, null, null, null, null, {8999})""",
    "insert into payments values ('p1', '1001', 'captured', 22.99, {25})",
    "insert into payments values ('p2', '1002', 'authorized', 9.99, {4})",
    "insert into refunds values ('1000', 5.00, {60})",
    "insert into scans values ('parcel-1', {600})",
    "insert into scans values ('parcel-1', {15})",
    "insert into cases values ('c1', '1001', {5000}, {4900})",
    "insert into cases values ('c2', '1001', {60}, null)",
    "insert into products values ('BOOK-1', 1234.50)",
    "insert into stock values ('BOOK-1', 3)",
    "insert into coupons values ('TEN', 10, {-9000})",
    "insert into staff_sign_ins values ('mia', {3}, true)",
    "insert into staff_sign_ins values ('mia', {4}, false)",
]


def at(statement: str) -> str:
    """With `{minutes}` ago as an instant."""

    now = datetime.now(UTC)

    def instant(found: re.Match[str]) -> str:
        return f"'{now - timedelta(minutes=int(found[1])):%Y-%m-%d %H:%M:%S}'"

    return re.sub(r"\{(-?\d+)\}", instant, statement)


def order(number: str, **changes: str) -> str:
    """One more order that is all right, but for these columns; as SQL."""
    columns = {
        "number": f"'{number}'", "customer": "'cy'", "address": "'192.0.2.9'", "items": "10.00", "shipping": "0",
        "discount": "0", "total": "10.00", "coupon": "null", "placed_at": "{30}", "confirmed_at": "{29}",
        "payment_verified_at": "{28}", "paid_at": "null", "dispatched_at": "{27}", "tracked_at": "{26}",
        "notified_at": "{25}", "cancelled_at": "null",
    }  # fmt: skip
    assert changes.keys() <= columns.keys()
    columns |= changes
    return f"insert into orders ({', '.join(columns)}) values ({', '.join(columns.values())})"


class SqliteDatabase:
    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._connection = sqlite3.connect(path, isolation_level=None)

    def write(self, statement: str) -> None:
        self._connection.executescript(at(statement))

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    made = SqliteDatabase(tmp_path / "shop.db")
    for statement in [TABLES, *TRADE]:
        made.write(statement)
    yield made
    made.close()


def page(price: str = "£1,234.50", availability: str = "In stock (3 available)") -> Callable[[Request], Reply]:
    return lambda _: Reply(f'<p class="price">{price}</p><p class="availability">{availability}</p>')


@pytest.fixture
async def front(shop: Shop) -> AsyncIterator[Shop]:
    """The shop's own page, and the help desk's."""
    form = '<form id="login" method="post" action="/staff/login"><input name="user"><input name="password"></form>'
    shop.pages["/products/BOOK-1"] = page()
    shop.pages["GET /staff/login"] = lambda _: Reply(form)
    shop.pages["POST /staff/login"] = lambda request: (
        redirect("/staff/queue", headers=[("Set-Cookie", "staff=mia-session")])
        if request.body == b"user=mia&password=pass-word-1"
        else Reply(form + '<p role="alert">Please try again</p>', 200)
    )
    shop.pages["/staff/queue"] = lambda request: (
        Reply('<ul id="queue"></ul>') if "staff=" in request.headers.get("cookie", "") else Reply("who?", 403)
    )
    yield shop


def journeys(database_url: str, front: str, only: str = "") -> dict[str, Journey]:
    """All of the examples, or those of the file that has this one."""
    environment = Environment({
        "SHOP_DATABASE": database_url, "SHOP_URL": front, "HELP_DESK_URL": front, "HELP_DESK_USER": "mia",
        "HELP_DESK_PASSWORD": "pass-word-1",
    })  # fmt: skip
    mistakes: list[Mistake] = []
    files = [FOLDER / f"{one.name}.yaml" for one in examples() if f"journey: {only}" in one.text]
    found = [journey for path in files for journey in load_file(path, environment, mistakes)]
    assert mistakes == []
    return {journey.name: journey for journey in found}


NAMES = sorted(re.findall(r"^journey: (.+)$", "".join(example.text for example in examples()), re.M))


@pytest.mark.parametrize("name", NAMES)
async def test_where_all_is_well_every_example_is_up(
    name: str, database: SqliteDatabase, front: Shop, context: RunContext
) -> None:
    result = await run_journey(journeys(database.url, front.url, name)[name], context)
    assert (result.outcome, result.failed) == (Outcome.UP, None)


LATE = [  # an order that is late in each stage, and the words of its step
    ("orders-confirmed", order("7", placed_at="{20}", confirmed_at="null"), "to be confirmed"),
    ("orders-payment-verified", order("7", confirmed_at="{40}", payment_verified_at="null"), "payment to be verified"),
    ("orders-dispatched", order("7", payment_verified_at="{1500}", dispatched_at="null"), "to be dispatched"),
    ("orders-tracked", order("7", dispatched_at="{800}", tracked_at="null"), "for the carrier's first scan"),
    ("orders-customer-notified", order("7", tracked_at="{70}", notified_at="null"), "to be told where it is"),
    ("orders-after-sales", "insert into cases values ('7', '1001', {1500}, null)", "for an answer"),
]
BROKEN = [  # journey, what is done to the healthy shop, words of the step that must fail, words that must be seen
    *((name, change, step, "1 late, longest: 7") for name, change, step in LATE),
    ("payments-match-orders", "insert into payments values ('p9', '0', 'captured', 5, {30})", "belongs to", "p9"),
    ("payments-match-orders", order("8", paid_at="{28}"), "has its captured payment", "1 orders, first: 8"),
    ("payments-match-orders", "update payments set amount = 2.99 where id = 'p1'", "what the order costs", "1, 2.99"),
    ("carrier-scans", "delete from scans where scanned_at > {100}", "are being scanned", "ago"),
    ("carrier-scans", "delete from scans", "are being scanned", "null"),
    ("stock-below-zero", "insert into stock values ('MUG-1', -2)", "less than none", "worst: MUG-1 with -2"),
    ("page-and-database", "update products set price = 1234.49", "the price on the page", "price = 1234.49"),
    ("page-and-database", "update stock set quantity = 0", "offers what is in stock", "In stock"),
    ("page-and-database", "delete from products", "the price in the database", "nothing"),
    (
        "alike-orders",
        "; ".join(order(f"a{n}", placed_at="{3}", address=f"'198.51.100.{n}'") for n in range(5)),
        "the same order again and again",
        "5 orders of 10",
    ),
    (
        "orders-from-one-address",
        "; ".join(order(f"b{n}", placed_at="{3}", customer=f"'c{n}'") for n in range(11)),
        "more orders than a household",
        "11 orders from 192.0.2.9",
    ),
    ("refund-rate", order("9", total="2000", paid_at="{60}") + "; insert into refunds values ('9', 300, {30})",
     "no more than 10 percent", "refunded = 305"),
    ("help-desk-sign-in", "desk: other password", "sign in as staff", "Please try again"),
    ("help-desk-sign-in", "desk: no queue", "the desk's queue opens", "403"),
    (
        "staff-sign-in-failures",
        "; ".join(f"insert into staff_sign_ins values ('s{n}', {{2}}, false)" for n in range(11)),
        "do not fail in numbers",
        "12",
    ),
    (
        "staff-sign-in-failures",
        "; ".join("insert into staff_sign_ins values ('joe', {2}, false)" for _ in range(6)),
        "tries out the password",
        "6 failures of joe",
    ),
    ("coupons-and-totals", order("c1", total="9.99"), "make the total", "c1"),
    ("coupons-and-totals", order("c2", coupon="'TEN'", discount="2.00", total="8.00"), "takes off what it says", "c2"),
    ("coupons-and-totals", order("c3", coupon="'OLD'", discount="0"), "after its end", "c3 with OLD"),
    ("coupons-and-totals", order("c4", discount="1", total="9"), "no discount without a coupon", "c4"),
]  # fmt: skip


def break_it(change: str, write: Write, front: Shop) -> None:
    if change == "desk: other password":
        front.pages["POST /staff/login"] = lambda _: Reply('<p role="alert">Please try again</p>')
    elif change == "desk: no queue":
        front.pages["/staff/queue"] = lambda _: Reply("not for you", 403)
    else:
        write(change)


def check_down(result: Result, step: str, seen: str) -> None:
    failed = result.failed
    assert failed is not None, "it is up"
    assert step in failed.name, failed
    assert seen in (failed.seen or "")
    assert failed.reason in (Reason.VALUE, Reason.STATUS, Reason.AUTH)
    assert (failed.reason is Reason.VALUE) == ("help-desk" not in result.journey)


@pytest.mark.parametrize(("name", "change", "step", "seen"), BROKEN, ids=[f"{one[0]}: {one[2]}" for one in BROKEN])
async def test_what_is_wrong_is_found_at_its_step(
    name: str, change: str, step: str, seen: str, *, database: SqliteDatabase, front: Shop, context: RunContext
) -> None:
    break_it(change, database.write, front)
    check_down(await run_journey(journeys(database.url, front.url, name)[name], context), step, seen)


def test_every_example_that_expects_something_has_been_broken() -> None:
    assert sorted({*(one[0] for one in BROKEN), "order-rate"}) == NAMES


async def test_the_orders_of_a_minute_are_measured(database: SqliteDatabase, front: Shop, context: RunContext) -> None:
    for number in range(29):
        database.write(order(f"n{number}", placed_at="{2}"))
    database.write(order("n30", placed_at="{2}", cancelled_at="{1}"))
    context.measures = {"order-rate": ["orders"]}
    result = await run_journey(journeys(database.url, front.url, "order-rate")["order-rate"], context)
    assert result.to_json()["measured"] == {"orders": 3.0}  # with the one that is part of the trade


@pytest.mark.needs("postgresql")
async def test_postgresql_says_the_same(front: Shop, context: RunContext) -> None:
    with serving() as server:
        healthy = server.create()
        with psycopg.connect(server.url(healthy), autocommit=True) as connection:
            for statement in [TABLES, *TRADE]:
                connection.execute(at(statement).encode())
        for journey in journeys(server.url(healthy), front.url).values():
            result = await run_journey(journey, context)
            assert (journey.name, result.failed) == (journey.name, None)
        for name, change, step, seen in BROKEN:
            if "desk:" in change:
                continue
            url = server.url(server.create(template=healthy))
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(at(change).encode())
            check_down(await run_journey(journeys(url, front.url, name)[name], context), step, seen)


def test_the_page_about_them_names_every_example_and_journey() -> None:
    for example in examples():
        row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{example.name}` "))
        for name in re.findall(r"^journey: (.+)$", example.text, re.M):
            assert f"`{name}`" in row
        for variable in set(re.findall(r"\$\{(\w+)\}", example.text)) - {"SHOP_DATABASE"}:
            assert f"`{variable}`" in row


def test_the_page_has_the_deadline_and_the_owner_of_every_stage() -> None:
    stages = journeys("sqlite:///x", "http://x")
    for journey in stages.values():
        if "stage" in journey.labels:
            row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{journey.labels['stage']}` |"))
            assert f"| {journey.vars['deadline'].source} | `{journey.labels['owner']}` |" in row


def test_every_sample_of_the_page_is_a_journey(tmp_path: Path) -> None:
    for sample in re.findall(r"^```yaml\n(.*?)^```", DOCS, re.S | re.M):
        (tmp_path / "sample.yaml").write_text(sample)
        mistakes: list[Mistake] = []
        assert len(load_file(tmp_path / "sample.yaml", Environment({}), mistakes)) == 1
        assert mistakes == []


def test_every_example_says_what_it_is_for_and_who_owns_it() -> None:
    assert all(example.about.endswith(".") for example in examples())
    assert all(journey.labels.get("owner") for journey in journeys("sqlite:///x", "http://x").values())
