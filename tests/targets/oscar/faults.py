"""Breaks a running shop from outside its code: in its database, or by what the system does to its process."""

import contextlib
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

STATEMENTS = {  # name: (break, heal); {user} is the customer that it is about
    "out-of-stock": (
        "UPDATE partner_stockrecord SET num_in_stock = 0 WHERE partner_sku = 'BOOK-1'",
        "UPDATE partner_stockrecord SET num_in_stock = 100000 WHERE partner_sku = 'BOOK-1'",
    ),
    "account-disabled": (
        "UPDATE auth_user SET is_active = 0 WHERE username = :user",
        "UPDATE auth_user SET is_active = 1 WHERE username = :user",
    ),
    "orders-stuck": (
        "CREATE TRIGGER stuck AFTER UPDATE OF status ON order_order WHEN NEW.status NOT IN ('Pending', 'Cancelled') "
        "BEGIN UPDATE order_order SET status = 'Pending' WHERE id = NEW.id; END",
        "DROP TRIGGER stuck",
    ),
    "basket-table-gone": (
        "ALTER TABLE basket_line RENAME TO basket_line_away",
        "ALTER TABLE basket_line_away RENAME TO basket_line",
    ),
    "order-table-gone": (
        "ALTER TABLE order_order RENAME TO order_order_away",
        "ALTER TABLE order_order_away RENAME TO order_order",
    ),
}
NAMES = (*STATEMENTS, "frozen", "locked")


@contextlib.contextmanager
def broken(state: Path, name: str, user: str = "buyer@example.com") -> Iterator[None]:
    """The fault `name` of NAMES is in while the block runs, and out after it, whatever happens."""
    put(state, name, on=True, user=user)
    try:
        yield
    finally:
        put(state, name, on=False, user=user)


_locks: dict[Path, sqlite3.Connection] = {}


def put(state: Path, name: str, *, on: bool, user: str = "buyer@example.com") -> None:
    if name == "frozen":
        os.kill(int((state / "pid").read_text()), signal.SIGSTOP if on else signal.SIGCONT)
    elif name == "locked":
        _lock(state, on)
    else:
        with contextlib.closing(_database(state)) as database:
            database.execute("PRAGMA legacy_alter_table = ON")
            statement = STATEMENTS[name][0 if on else 1]
            database.execute(statement, {"user": user} if ":user" in statement else {})


def _lock(state: Path, on: bool) -> None:
    """Another process holds the write lock, as a runaway migration or backup does."""
    if on:
        _locks[state] = _database(state)
        _locks[state].execute("BEGIN IMMEDIATE")
    else:
        held = _locks.pop(state)
        held.execute("ROLLBACK")
        held.close()


def _database(state: Path) -> sqlite3.Connection:
    return sqlite3.connect(state / "shop.sqlite3", timeout=20, isolation_level=None)


def scan_orders(state: Path) -> int:
    """The warehouse at work: every order that waits moves on by one status. Returns how many did."""
    with contextlib.closing(_database(state)) as database:
        done = database.execute("UPDATE order_order SET status = 'Being processed' WHERE status = 'Pending'").rowcount
        return int(done)


def open_baskets(state: Path, user: str) -> int:
    """How many lines lie in the customer's open baskets: what a tidy run leaves behind is 0."""
    query = (
        "SELECT count(*) FROM basket_line JOIN basket_basket ON basket_basket.id = basket_line.basket_id "
        "JOIN auth_user ON auth_user.id = basket_basket.owner_id "
        "WHERE basket_basket.status = 'Open' AND auth_user.username = ?"
    )
    with contextlib.closing(_database(state)) as database:
        return int(database.execute(query, (user,)).fetchone()[0])
