"""A draft as a commented journey file."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from probes.importing.draft import Draft, DraftStep, Made

_BARE = re.compile(r"[A-Za-z/_][A-Za-z0-9 ./_-]*(?<! )")
_WORDS = frozenset((
    "true", "false", "yes", "no", "on", "off", "null", "none", "present", "absent", "y", "n", "nan", "inf",
))  # fmt: skip
_MUTATES = {
    "cart": "it writes into baskets",
    "authorize": "it has cards charged or authorized",
    "order": "it places orders",
}


class _Dumper(yaml.SafeDumper):
    """Quotes whatever another reader of YAML could take for something else than text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _BARE.fullmatch(text) and text.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style=None if plain else '"')


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Made, _text)


def write(draft: Draft) -> str:
    return "\n".join([*_head(draft), *_steps(draft), *_tail(draft)]) + "\n"


def _head(draft: Draft) -> Iterator[str]:
    yield f"# Made from {_comment(draft.source)} by `shopwatch probe import`."
    yield "# Try it with `shopwatch probe run THIS-FILE --trace`, then say below what each step must show."
    for name, what in draft.exports.items():
        yield f"#   {name}: {_comment(what)} (from the environment, or from the file that {name}_FILE names)"
    yield ""
    yield f"journey: {_inline(draft.name)}"
    yield f"service: {_inline(draft.service)}  # whose failure it is; a step may say another"
    yield "every: 1m"
    yield "timeout: 30s"
    yield f"base: {_inline(Made(draft.base))}"
    if draft.mutates != "none":
        yield f"mutates: {draft.mutates}  # a guess, from its addresses: {_MUTATES[draft.mutates]}"
    if draft.headers:
        yield f"headers: {_inline(draft.headers)}"
    if draft.hosts:
        yield f"hosts: {_inline(draft.hosts)}  # where else it may go"
    if draft.insecure:
        yield "tls: {verify: false}  # as curl -k: better name the authority, tls: {ca: ca.pem}"
    if draft.accounts:
        yield "accounts:  # a run leases one: with several, runs need not wait for each other"
        yield from (f"  - {_inline(account)}" for account in draft.accounts)
    yield ""


def _steps(draft: Draft) -> Iterator[str]:
    yield "steps:"
    for number, step in enumerate(draft.steps):
        if number:
            yield ""
        yield from _step(step)


def _step(step: DraftStep) -> Iterator[str]:
    yield from (f"  # {_comment(text)}" for text in step.comments)
    mark = "- "
    for key, value in step.to_plain().items():
        if key == "save":
            yield f"  {mark}save:"
            yield from (f"      {name}: {_inline(what)}" for name, what in value.items())
        else:
            yield f"  {mark}{key}: {_inline(value)}"
        mark = "  "


def _tail(draft: Draft) -> Iterator[str]:
    if draft.mutates == "none":
        return
    yield ""
    yield "# This journey writes into the shop. Say in the step that does what it makes, and undo it:"
    yield '#     creates: "{{ order }}"     # a value that the same step saves; kept in a ledger until it is undone'
    yield "# cleanup:"
    yield "#   - name: cancel the order"
    yield '#     when: "{{ order is defined }}"'
    yield "#     post: /orders/{{ order }}/cancel"


def _inline(value: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=1 << 20, sort_keys=False
    )
    return text.removesuffix("...\n").rstrip("\n")


def _comment(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:300]
