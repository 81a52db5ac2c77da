"""A visit to the practice shop in a real browser becomes a journey that runs, and fails where the shop is broken."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from cli import shopwatch
from drills.practice.launch import Practice
from tests.probes.importing.recorder import Recorder

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.long]
SETTINGS = (
    "shop: {name: Shop}\nservices: {login: {title: L}, cart: {title: C}, checkout: {title: O}, payment: {title: P}}\n"
)
CARD = "5555 5555 5555 4444"
BY_SCRIPT = """
const done = arguments[arguments.length - 1];
(async () => {
  const session = await (await fetch("/api/session")).json();
  const headers = {"Content-Type": "application/json", "X-CSRF-Token": session.csrf};
  const post = (url, body) => fetch(url, {method: "POST", headers, body: JSON.stringify(body)}).then(a => a.json());
  await post("/api/cart/items", {sku: "TEA-1", quantity: 2});
  const address = {name: "Ada", street: "1 High Street", city: "Leeds", postcode: "LS1 1AA", country: "United Kingdom"};
  const order = await post("/api/orders", {method: "on_delivery", address});
  const shown = await (await fetch("/api/orders/" + order.number)).json();
  await post("/api/orders/" + order.number + "/cancel", {});
  return shown;
})().then(done, error => done(String(error)));
"""


@pytest.fixture(scope="module")
def practice() -> Iterator[Practice]:
    with asyncio.Runner() as runner:
        started = Practice(pace=0.05)
        runner.run(started.__aenter__())
        try:
            yield started
        finally:
            runner.run(started.stop())


@pytest.fixture(scope="module")
def recorded(practice: Practice, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signs in, buys by card, looks at the order; then once more by script, as a shop of one page does it."""
    folder = tmp_path_factory.mktemp("recording")
    url = practice.urls["shop"]
    recorder = Recorder(folder / "profile")
    recorder.open(f"{url}/account/login")
    recorder.fill(email="buyer@example.com", password="practice")
    recorder.click("#login_form button")
    recorder.open(f"{url}/products/TEA-1")
    recorder.fill(quantity="3")
    recorder.click("#add_form button")
    recorder.open(f"{url}/checkout/")
    recorder.fill(name="Ada", street="1 High Street", city="Leeds", postcode="LS1 1AA")
    recorder.click("#address_form button")
    recorder.fill(card=CARD)
    recorder.click("#payment_form button")
    shown = recorder.run(BY_SCRIPT)
    assert isinstance(shown, dict), shown
    return recorder.save(folder / "visit.har")


@pytest.fixture
def workspace(tmp_path: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "probes").mkdir()
    (tmp_path / "shopwatch.yaml").write_text(SETTINGS)
    monkeypatch.setenv("SHOP_PASSWORD", "practice")
    monkeypatch.setenv("SHOP_CARD_NUMBER", CARD)
    monkeypatch.delenv("SHOP_URL", raising=False)
    made = call(tmp_path, "import", "har", str(recorded), "-o", str(tmp_path / "probes/visit.yaml"))
    assert made.exit_code == 0, made.output
    return tmp_path


def call(workspace: Path, *arguments: str) -> Result:
    return CliRunner().invoke(shopwatch, ["-w", str(workspace), "probe", *arguments])


def broken(practice: Practice, name: str) -> None:
    headers = {"Authorization": f"Bearer {practice.token}"}
    url = practice.urls["shop"] + "/_practice/switches"
    httpx.put(url, json={"name": name, "value": True}, headers=headers, trust_env=False).raise_for_status()


@pytest.fixture(autouse=True)
def mended(practice: Practice) -> Iterator[None]:
    yield
    headers = {"Authorization": f"Bearer {practice.token}"}
    url = practice.urls["shop"] + "/_practice/switches"
    httpx.delete(url, headers=headers, trust_env=False).raise_for_status()


def test_the_journey_runs_as_it_was_made(workspace: Path) -> None:
    checked = CliRunner().invoke(shopwatch, ["-w", str(workspace), "check"])
    assert checked.exit_code == 0, checked.output
    for _ in range(2):
        done = call(workspace, "run", "visit")
        assert done.exit_code == 0, done.output


def test_no_secret_is_in_it_and_what_reappears_is_saved(workspace: Path) -> None:
    text = (workspace / "probes/visit.yaml").read_text()
    assert CARD not in text
    assert "password: practice" not in text
    assert "mutates: order" in text
    for expected in ('submit: "#login_form"', 'submit: "#payment_form"', "{{ csrf", 'card: "${SHOP_CARD_NUMBER}"'):
        assert expected in text, text
    assert ".css" not in text


@pytest.mark.parametrize(
    ("fault", "step"), [("signin_refuses", "sign in"), ("session_lost", "go on"), ("psp_declines", "place the order")]
)
def test_with_a_fault_it_fails_at_the_step_that_is_broken(
    workspace: Path, practice: Practice, fault: str, step: str
) -> None:
    broken(practice, fault)
    done = call(workspace, "run", "visit")
    assert done.exit_code == 1
    assert f"\n{step}: down" in done.output, done.output
