"""Synthetic journeys: walk the shop as a shopper does, judge what came back, and say so as alerts.

Data flows through the package in this order:

    journey.py (what to walk) -> runner.py (walks it, over http/) -> result.py (what was seen)
    -> rules.py (history -> alert) -> report.py (to the incident side, spooled on disk)
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("shopwatch")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
