"""The status page as Chromium shows it: on a telephone, in both languages, light and dark."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from incident.client import Client
from tests.incident.a_daemon import Daemon, running, workspace

pytestmark = [pytest.mark.needs("chromium")]

CONTRASTS = """
const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const ground = node => { for (; node; node = node.parentElement) {
  const colour = parse(getComputedStyle(node).backgroundColor);
  if (colour[3] !== 0) return colour; } return [255, 255, 255]; };
return [...document.querySelectorAll("body *")]
  .filter(node => [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim()))
  .map(node => { const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    return [node.className + ": " + node.textContent.trim().slice(0, 40), (a + .05) / (b + .05)]; });
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with an incident under way, one that is over, and one that nobody spoke of."""
    folder = tmp_path_factory.mktemp("browser")
    with running(workspace(folder / "shop"), folder / "state") as daemon:
        token = next((folder / "state" / "shopwatch").iterdir()).read_text()
        client = Client(daemon.url, token)
        for number, service in enumerate(("payment", "login", "payment"), 1):
            client.post(
                "/api/v1/incidents", {"title": "internal words", "service": service, "severity": f"SEV{number}"}
            )
        client.post(
            "/api/v1/incidents/1/update",
            {"text": "Cards are declined. " * 8, "text_zh": "部分银行卡支付失败。", "public": True},
        )
        last_word = {"text": "https://shop.example/" + "a" * 200, "public": True, "status": "monitoring"}
        client.post("/api/v1/incidents/2/update", last_word)
        client.post("/api/v1/incidents/2/resolve")
        yield daemon


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    profile = tmp_path_factory.mktemp("profile")
    for word in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-background-networking",
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{word}")
    options.binary_location = shutil.which("chromium") or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def show(browser: Any, url: str, width: int, scheme: str = "light") -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(url)


@pytest.mark.parametrize("width", [320, 390, 1200])
@pytest.mark.parametrize("path", ["/", "/zh/"])
def test_nothing_sticks_out_to_the_side(browser: Any, shown: Daemon, path: str, width: int) -> None:
    show(browser, shown.url + path, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(browser: Any, shown: Daemon, scheme: str) -> None:
    show(browser, shown.url, 800, scheme)
    ratios = browser.execute_script(CONTRASTS)
    assert len(ratios) > 15
    assert [text for text, ratio in ratios if not ratio >= 4.5] == []


def test_the_browser_has_nothing_to_complain_about_and_the_styles_apply(browser: Any, shown: Daemon) -> None:
    browser.get_log("browser")
    show(browser, shown.url, 800)
    assert browser.get_log("browser") == []
    assert (
        browser.execute_script("return getComputedStyle(document.querySelector('.components')).listStyleType") == "none"
    )


def test_one_gets_from_one_language_to_the_other_and_back(browser: Any, shown: Daemon) -> None:
    from selenium.webdriver.common.by import By

    show(browser, shown.url, 800)
    for lang, words in (("zh-Hans", "部分银行卡支付失败。"), ("en", "Cards are declined.")):
        browser.find_element(By.CSS_SELECTOR, "nav a").click()
        assert browser.execute_script("return document.documentElement.lang") == lang
        assert words in browser.find_element(By.TAG_NAME, "main").text
