"""A workspace without a mistake, for tests to put one into."""

from pathlib import Path

SETTINGS = """\
shop: {name: Shop}
services:
  login: {title: Sign-in}
  checkout: {title: Checkout, needs: [login]}
"""

JOURNEY = """\
journey: home
service: login
every: 30s
base: https://shop.example
steps:
  - get: /
"""


def workspace(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name in ("probes", "runbooks", "drills"):
        (folder / name).mkdir()
    (folder / "shopwatch.yaml").write_text(SETTINGS)
    (folder / "probes" / "home.yaml").write_text(JOURNEY)
    return folder
