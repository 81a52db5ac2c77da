"""What stands in the file for each value of a recorded request: a saved value, a variable, or the value itself."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from probes.importing.draft import DraftStep, Made
from probes.importing.recording import Exchange
from probes.importing.secrets import Vault, is_password, secret_name, user_beside
from probes.importing.sources import Source, Use, handed_out, save_name, worth_saving

_PREFIX = re.compile(r"(Bearer|Basic|Token|JWT)\s+", re.I)
_TEMPLATE = re.compile(r"\{\{|\{%|\{#|\$\{")


class Values:
    """`steps[n]` is made of `exchanges[n]`; what a value is saved as is written into the step that reads it."""

    def __init__(self, exchanges: Sequence[Exchange], steps: list[DraftStep], vault: Vault) -> None:
        self.steps = steps
        self.vault = vault
        self.account: dict[str, str] = {}  # recorded value: the template that stands for it
        self._answers = [list(handed_out(exchange)) for exchange in exchanges]
        self._typed = list(_typed(exchanges, self._answers))
        self._saved: dict[tuple[int, str], str] = {}
        for exchange in exchanges:
            self._meet(exchange)

    def _meet(self, exchange: Exchange) -> None:
        """Who signs in, so that the name and the password are known wherever they turn up."""
        fields = leaves(exchange)
        password = next((value for name, value in fields if is_password(name) and value), None)
        user = user_beside(fields)
        if password and user and not self.account:
            self.account = {user: "{{ account.user }}", password: "{{ account.password }}"}
            self.vault.lift(password, "password", "the password of that account")

    def text(self, at: int, value: str, name: str, *, in_path: bool = False) -> str:
        """For a value of request `at`."""
        if value in self.account:
            return Made(self.account[value])
        if found := self._source(at, Use(value, name, in_path)):
            return Made("{{ " + found + " }}")
        prefix = _PREFIX.match(value)
        if prefix and (found := self._source(at, Use(value[prefix.end() :], name))):
            return Made(f"{prefix[0]}{{{{ {found} }}}}")
        secret = None if in_path else secret_name(name, value[prefix.end() :] if prefix else value)
        if secret and prefix:
            return Made(f"{prefix[0]}${{{self.vault.lift(value[prefix.end() :], secret)}}}")
        if secret or value in self.vault.names:
            return Made(f"${{{self.vault.lift(value, secret or name)}}}")
        return self.literal(value)

    def literal(self, text: str) -> str:
        """As it is, but for secrets in it and what would be read as a template."""
        for secret in self.vault.found_in(text):
            before, _, after = text.partition(secret)
            return Made(f"{self.literal(before)}${{{self.vault.names[secret]}}}{self.literal(after)}")
        if _TEMPLATE.search(text):
            return Made(_TEMPLATE.sub(lambda found: f"{{{{ '{found[0][0]}' }}}}{found[0][1]}", text))
        return text

    def tree(self, at: int, value: Any, name: str = "") -> Any:
        """For a JSON document."""
        if isinstance(value, dict):
            return {str(key): self.tree(at, inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.tree(at, inner, name) for inner in value]
        if isinstance(value, str):
            return self.text(at, value, name)
        if isinstance(value, int) and not isinstance(value, bool):
            found = self._source(at, Use(str(value), name))
            return Made("{{ " + found + " }}") if found else value
        return value

    def _source(self, at: int, use: Use) -> str | None:
        """The name under which an earlier step saves this value; the newest answer that has it is asked."""
        for step in range(at - 1, -1, -1):
            if any(use.value in typed for typed in self._typed[: step + 1]):
                continue  # the shop has it from the shopper
            source = next((one for one in self._answers[step] if worth_saving(use, one)), None)
            if source is not None:
                return self._save(step, source)
        return None

    def _save(self, step: int, source: Source) -> str:
        key = (step, source.value)
        if key not in self._saved:
            taken = {name for one in self.steps for name in one.save}
            self._saved[key] = save_name(source, taken)
            self.steps[step].save[self._saved[key]] = source.save
        return self._saved[key]


def _typed(exchanges: Sequence[Exchange], answers: Sequence[Sequence[Source]]) -> Iterator[set[str]]:
    """For each request what it says that no answer before it has said: what the shopper brought along."""
    known: set[str] = set()
    for exchange, handed in zip(exchanges, answers, strict=True):
        yield set(sent_values(exchange)) - known
        known.update(source.value for source in handed)


def leaves(exchange: Exchange) -> list[tuple[str, str]]:
    """The fields of a body, by their innermost names."""
    if exchange.form is not None:
        return list(exchange.form)
    return list(_leaves(exchange.json, ""))


def _leaves(value: Any, name: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in _leaves(inner, str(key))]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner, name)]
    if isinstance(value, str | int) and not isinstance(value, bool):
        return [(name, str(value))]
    return []


def sent_values(exchange: Exchange) -> list[str]:
    """What a request says in its address and body."""
    path = [part for part in exchange.path.split("/") if part]
    return [*path, *(value for _, value in [*exchange.query, *leaves(exchange)])]
