"""`probe run --trace` and `--watch`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cli import shopwatch

SETTINGS = "shop: {name: Test shop}\nservices: {catalog: {title: Catalogue}}\n"
PAGE = """<html><body><nav>much else</nav><main><div id="basket"><p class="line">BOOK-1</p>
<form id="pay"><input type="hidden" name="csrf_token" value="t0k3n-t0k3n-t0k3n"><input name="card"></form>
</div></main></body></html>"""
ORDER = {"order": {"number": 7, "lines": [{"sku": "A"}], "state": "new\x1b[31m", "token": "a1b2c3d4e5f6a7b8"}}


@pytest.fixture
def shop(tmp_path: Path, httpserver: HTTPServer) -> HTTPServer:
    httpserver.expect_request("/basket").respond_with_data(PAGE, content_type="text/html")
    httpserver.expect_request("/order").respond_with_json(ORDER)
    httpserver.expect_request("/old").respond_with_data("", status=302, headers={"Location": "/basket"})
    (tmp_path / "shopwatch.yaml").write_text(SETTINGS)
    (tmp_path / "probes").mkdir()
    return httpserver


def run(folder: Path, shop: HTTPServer, *steps: Mapping[str, Any], words: tuple[str, ...] = ("--trace",)) -> Result:
    write(folder, shop, *steps)
    return CliRunner().invoke(shopwatch, ["-w", str(folder), "probe", "run", "j", *words])


def write(folder: Path, shop: HTTPServer, *steps: Mapping[str, Any]) -> None:
    journey = {"journey": "j", "service": "catalog", "every": "1m", "base": shop.url_for("/"), "steps": steps}
    (folder / "probes/j.yaml").write_text(json.dumps(journey))


def around(result: Result) -> str:
    return "\n".join(line[6:] for line in result.stdout.splitlines() if line.startswith("    | "))


def test_each_step_has_its_bars_and_times_and_a_redirect_a_line_of_its_own(tmp_path: Path, shop: HTTPServer) -> None:
    result = run(tmp_path, shop, {"name": "the old address", "get": "/old", "follow": True}, {"get": "/order"})
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    first = next(at for at, line in enumerate(lines) if line.strip() == "the old address: up")
    assert [line[40:].split()[0] for line in lines[first + 1 : first + 3]] == ["302", "200"]
    assert "processing " in lines[first + 1]
    assert "ms" in lines[first + 1]
    assert lines[first + 3].strip() == "get /order: up"


@pytest.mark.by_the_clock
def test_what_is_too_short_for_the_scale_still_has_a_mark(tmp_path: Path, shop: HTTPServer) -> None:
    def late(_: Request) -> Response:
        time.sleep(0.5)
        return Response("late")

    shop.expect_request("/slow").respond_with_handler(late)
    result = run(tmp_path, shop, {"get": "/order"}, {"get": "/slow"})
    assert result.exit_code == 0, result.output
    bars = [line[:40].strip() for line in result.stdout.splitlines() if " GET http" in line]
    assert len(bars[0]) == 1
    assert len(bars[1]) > 30


@pytest.mark.parametrize(
    ("html", "near"),
    [
        ({"#basket .line .price": "present"}, '<p class="line">'),
        ({"#basket .line": "BOOK-2"}, 'id="basket"'),
        ({"#nowhere": "present"}, "<main>"),
    ],
)
def test_the_page_is_shown_around_the_element_that_was_expected(
    tmp_path: Path, shop: HTTPServer, html: dict[str, str], near: str
) -> None:
    shown = around(run(tmp_path, shop, {"get": "/basket", "expect": {"html": html}}))
    assert near in shown.splitlines()[0], shown
    assert "much else" not in shown


def test_the_json_is_shown_around_the_value_that_was_expected(tmp_path: Path, shop: HTTPServer) -> None:
    result = run(tmp_path, shop, {"get": "/order", "expect": {"json": {"$.order.total": 5}}})
    shown = around(result)
    assert shown.startswith("$.order = {")
    assert '"number": 7' in shown
    assert "\x1b" not in result.stdout


def test_tokens_in_what_is_shown_are_hidden(tmp_path: Path, shop: HTTPServer) -> None:
    page = around(run(tmp_path, shop, {"get": "/basket", "expect": {"html": {"#nowhere": "present"}}}))
    order = around(run(tmp_path, shop, {"get": "/order", "expect": {"json": {"$.order.total": 5}}}))
    assert "t0k3n" not in page
    assert 'name="csrf_token"' in page
    assert "a1b2c3d4" not in order


def test_a_form_that_is_not_there_shows_those_that_are(tmp_path: Path, shop: HTTPServer) -> None:
    result = run(tmp_path, shop, {"get": "/basket"}, {"submit": "#checkout"})
    assert '<form id="pay">' in around(result)


def test_without_a_trace_only_the_reason_is_shown(tmp_path: Path, shop: HTTPServer) -> None:
    failing = {"get": "/basket", "expect": {"html": {"#nowhere": "present"}}}
    assert around(run(tmp_path, shop, failing, words=())) == ""
    document = json.loads(run(tmp_path, shop, failing, words=("--trace", "--json")).stdout)
    assert "<main>" in document["steps"][0]["around"]
    assert "around" not in json.loads(run(tmp_path, shop, failing, words=("--json",)).stdout)["steps"][0]


def test_watch_and_json_exclude_each_other(tmp_path: Path, shop: HTTPServer) -> None:
    assert run(tmp_path, shop, {"get": "/order"}, words=("--watch", "--json")).exit_code == 2


def test_watching_runs_again_when_a_file_has_changed_and_says_what_is_another(tmp_path: Path, shop: HTTPServer) -> None:
    write(tmp_path, shop, {"get": "/order"})
    command = [sys.executable, "-P", "-m", "cli", "-w", str(tmp_path), "probe", "run", "j", "--watch"]
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        wait_for(log, "waiting for a change", 1)
        write(tmp_path, shop, {"get": "/order", "expect": {"status": 201}})
        wait_for(log, "waiting for a change", 2)
        (tmp_path / "probes/j.yaml").write_text("journey: [")
        wait_for(log, "waiting for a change", 3)
        write(tmp_path, shop, {"get": "/order"})
        wait_for(log, "waiting for a change", 4)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    text = log.read_text()
    assert "get /order: up before, now down" in text
    assert "probes/j.yaml:2: is not YAML" in text
    assert "get /order: down before, now up" in text


def wait_for(log: Path, text: str, times: int) -> None:
    end = time.monotonic() + 60
    while log.read_text().count(text) < times:
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
