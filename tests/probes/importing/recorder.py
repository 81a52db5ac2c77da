"""Chromium as a recorder: what its own performance log tells of the network, as a HAR file has it."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By

SWITCHES = ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update")


class Recorder:
    """A browser that remembers. `save` writes what was seen since the start."""

    def __init__(self, profile: Path) -> None:
        options = ChromeOptions()
        for word in (*SWITCHES, f"user-data-dir={profile}"):
            options.add_argument(f"--{word}")
        options.binary_location = shutil.which("chromium") or ""
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        self.driver = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
        self.entries: list[dict[str, Any]] = []
        self._open: dict[str, dict[str, Any]] = {}
        self._cookies: dict[str, list[dict[str, str]]] = {}

    def open(self, url: str) -> None:
        self.driver.get(url)
        self._listen()

    def fill(self, **fields: str) -> None:
        for name, text in fields.items():
            field = self.driver.find_element(By.NAME, name)
            field.clear()
            field.send_keys(text)

    def click(self, selector: str) -> None:
        page = self.driver.find_element(By.TAG_NAME, "html").id
        self.driver.find_element(By.CSS_SELECTOR, selector).click()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                new = self.driver.find_element(By.TAG_NAME, "html").id != page
                if new and self.driver.execute_script("return document.readyState") == "complete":
                    break
            except WebDriverException:  # between two pages
                time.sleep(0.02)
        self._listen()

    def run(self, script: str) -> Any:
        """A script that calls its last argument when it is done."""
        found = self.driver.execute_async_script(script)
        self._listen()
        return found

    def save(self, path: Path) -> Path:
        self._listen()
        path.write_text(json.dumps({"log": {"version": "1.2", "entries": self.entries}}))
        self.driver.quit()
        return path

    def _listen(self) -> None:
        quiet = 0
        while quiet < 6:  # until nothing more arrives
            time.sleep(0.05)
            lines = self.driver.get_log("performance")  # type: ignore[no-untyped-call]
            quiet = 0 if lines else quiet + 1
            for line in lines:
                message = json.loads(line["message"])["message"]
                handle = getattr(self, "_" + message["method"].replace(".", "_"), None)
                if handle is not None:
                    handle(message["params"])
        for key in [key for key, entry in self._open.items() if "response" in entry]:
            self._finish(key)

    def _Network_requestWillBeSent(self, event: dict[str, Any]) -> None:
        key, request = event["requestId"], event["request"]
        if "redirectResponse" in event and key in self._open:
            self._answered(key, event["redirectResponse"])
            self._open.pop(key)
        posted = request.get("postData")
        entry: dict[str, Any] = {
            "startedDateTime": f"{event['wallTime']:.6f}",
            "_resourceType": event.get("type", "").lower(),
            "request": {"method": request["method"], "url": request["url"], "headers": _headers(request["headers"])},
        }
        if posted is not None:
            mime = next((v for k, v in request["headers"].items() if k.lower() == "content-type"), "")
            entry["request"]["postData"] = {"mimeType": mime, "text": posted}
        self._open[key] = entry
        self.entries.append(entry)

    def _Network_responseReceivedExtraInfo(self, event: dict[str, Any]) -> None:
        found = [h for h in _headers(event["headers"]) if h["name"].lower() == "set-cookie"]
        self._cookies.setdefault(event["requestId"], []).extend(found)

    def _Network_responseReceived(self, event: dict[str, Any]) -> None:
        if event["requestId"] in self._open:
            self._answered(event["requestId"], event["response"])

    def _answered(self, key: str, response: dict[str, Any]) -> None:
        headers = _headers(response["headers"]) + self._cookies.pop(key, [])
        location = next((h["value"] for h in headers if h["name"].lower() == "location"), "")
        content = {"mimeType": response["mimeType"]}
        self._open[key]["response"] = {
            "status": response["status"], "headers": headers, "redirectURL": location, "content": content,
        }  # fmt: skip

    def _finish(self, key: str) -> None:
        entry = self._open.pop(key)
        try:
            body = self.driver.execute_cdp_cmd("Network.getResponseBody", {"requestId": key})
        except WebDriverException:  # it is gone: a recording may lack bodies
            return
        entry["response"]["content"]["text"] = body["body"]
        if body["base64Encoded"]:
            entry["response"]["content"]["encoding"] = "base64"


def _headers(found: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": part} for name, value in found.items() for part in value.split("\n")]
