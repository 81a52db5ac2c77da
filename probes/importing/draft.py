"""A journey as it will be written: plain values, in which `Made` text is YAML's already and everything else is not."""

from dataclasses import dataclass, field
from typing import Any


class Made(str):
    """Text with `{{ … }}` or `${…}` that is meant: it is written as it is."""

    __slots__ = ()


@dataclass
class DraftStep:
    """`what`: the keys that make the step, in the order in which they are written."""

    name: str
    what: dict[str, Any]
    follow: bool = False
    expect: dict[str, Any] = field(default_factory=dict)
    save: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)

    def to_plain(self) -> dict[str, Any]:
        document: dict[str, Any] = {"name": self.name, **self.what}
        if self.follow:
            document["follow"] = True
        if self.expect:
            document["expect"] = self.expect
        if self.save:
            document["save"] = self.save
        return document


@dataclass
class Draft:
    """`exports`: variables to set, and what each is."""

    name: str
    service: str
    base: str
    steps: list[DraftStep]
    source: str = ""
    mutates: str = "none"
    headers: dict[str, Any] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    insecure: bool = False
    exports: dict[str, str] = field(default_factory=dict)
