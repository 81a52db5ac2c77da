"""A checkout of the bookshop, recorded in Chromium by hand of a shopper, becomes a journey that runs there."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import shopwatch
from tests.probes.importing.recorder import Recorder
from tests.targets.oscar import faults
from tests.targets.oscar.shop import OscarShop

pytestmark = [pytest.mark.needs("oscar"), pytest.mark.needs("chromium"), pytest.mark.long]
SETTINGS = "shop: {name: Books}\nservices: {login: {title: L}, cart: {title: C}, checkout: {title: O}}\n"


@pytest.fixture(scope="module")
def recorded(oscar: OscarShop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    recorder = Recorder(folder / "profile")
    recorder.open(f"{oscar.url}/accounts/login/")
    recorder.fill(**{"login-username": "buyer@example.com", "login-password": "Buyer-pass-1"})
    recorder.click("#login_form button[name=login_submit]")
    recorder.open(f"{oscar.url}/catalogue/")
    recorder.click("article.product_pod h3 a[title='The Night Watch']")
    recorder.click("#add_to_basket_form button[type=submit]")
    recorder.open(f"{oscar.url}/checkout/shipping-address/")
    recorder.fill(first_name="Robin", last_name="Buyer", line1="1 Mill Road", line4="London", postcode="N1 9GU")
    recorder.click("#new_shipping_address button[type=submit]")
    recorder.open(f"{oscar.url}/checkout/preview/")
    recorder.click("#place_order_form button[type=submit]")
    return recorder.save(folder / "visit.har")


@pytest.fixture
def shop(tmp_path: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "probes").mkdir()
    (tmp_path / "shopwatch.yaml").write_text(SETTINGS)
    monkeypatch.setenv("SHOP_PASSWORD", "Buyer-pass-1")
    monkeypatch.delenv("SHOP_URL", raising=False)
    made = call(tmp_path, "import", "har", str(recorded), "-o", str(tmp_path / "probes/visit.yaml"))
    assert made.exit_code == 0, made.output
    return tmp_path


def call(workspace: Path, *arguments: str) -> Result:
    return CliRunner().invoke(shopwatch, ["-w", str(workspace), "probe", *arguments])


def test_the_recorded_visit_runs_and_holds_no_secret(shop: Path) -> None:
    text = (shop / "probes/visit.yaml").read_text()
    assert "Buyer-pass-1" not in text
    assert 'submit: "#login_form"' in text
    done = call(shop, "run", "visit", "--trace")
    assert done.exit_code == 0, done.output + text


@pytest.mark.parametrize(
    ("fault", "step"),
    [("account-disabled", "log in"), ("out-of-stock", "add to cart"), ("order-table-gone", "place order")],
)
def test_with_a_fault_it_fails_at_the_step_that_is_broken(shop: Path, oscar: OscarShop, fault: str, step: str) -> None:
    with faults.broken(oscar.state, fault):
        done = call(shop, "run", "visit")
    assert done.exit_code == 1
    assert f"\n{step}: down" in done.output, (shop / "probes/visit.yaml").read_text() + done.output
