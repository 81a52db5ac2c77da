"""What must not stand in a file: passwords, keys, cookies, card numbers. Each becomes a variable of the environment."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from probes.files.secrets import looks_secret

_DIGITS = re.compile(r"[\d \-]{12,23}")
_CARD = re.compile(r"card.?(num|no)|cardnumber|^pan$|^card$", re.I)
_CODE = re.compile(r"cvv|cvc|security.?code|^pin$", re.I)
_PASSWORD = re.compile(r"pass(word|wd|phrase)?|pwd", re.I)
_USER = re.compile(r"user|e-?mail|login|account|phone|customer", re.I)
_TOKEN_NAME = re.compile(r"csrf|xsrf|nonce|verification", re.I)
_DOOR = re.compile(r"authori[sz]ation|auth$|bearer|session|jwt|cookie|signature", re.I)
_WEB_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.")
_SHORT = 3


@dataclass
class Vault:
    """Secrets by their value; `exports`: what is to be set, name and placeholder, in the order of their appearance."""

    prefix: str = "SHOP"
    names: dict[str, str] = field(default_factory=dict)
    exports: dict[str, str] = field(default_factory=dict)

    def lift(self, value: str, name: str, placeholder: str | None = None) -> str:
        """The variable that stands for this secret: the same for the same value."""
        if value not in self.names:
            wanted = variable(self.prefix, name)
            chosen, number = wanted, 2
            while chosen in self.exports:
                chosen, number = f"{wanted}_{number}", number + 1
            self.names[value] = chosen
            self.exports[chosen] = placeholder or f"the {words(name)}"
        return self.names[value]

    def found_in(self, text: str) -> Iterator[str]:
        """Secrets that stand somewhere inside a longer text, the longest first. Plain words are not looked for."""
        for value in sorted(self.names, key=len, reverse=True):
            if len(value) >= 6 and not value.isalpha() and value in text:
                yield value


def variable(prefix: str, name: str) -> str:
    """`SHOP_API_KEY` for `X-Api-Key`."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    split = re.sub(r"[^A-Za-z0-9]+", "_", split).strip("_").upper().removeprefix("X_")
    parts = [part for part in split.split("_") if part] or ["SECRET"]
    return "_".join([prefix, *parts[-3:]])


def words(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).lower()).strip() or "secret"


def secret_name(name: str, value: str) -> str | None:
    """What a secret is to be called; None for a value that may stand in a file."""
    if not value.strip():
        return None
    if is_card(value) or (_CARD.search(name) and _DIGITS.fullmatch(value.strip())):
        return "card_number"
    if _CODE.search(name) and len(value) <= 6:
        return "card_code"
    if _PASSWORD.search(name) and len(value) >= _SHORT:
        return "password"
    if _WEB_TOKEN.match(value) or (
        len(value) >= 6 and (looks_secret(name) or _DOOR.search(name) or _TOKEN_NAME.search(name))
    ):
        return name
    return None


def is_password(name: str) -> bool:
    return _PASSWORD.search(name) is not None


def is_card(value: str) -> bool:
    """By its length and Luhn's checksum."""
    if not _DIGITS.fullmatch(value.strip()):
        return False
    digits = [int(sign) for sign in value if sign.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [digit if at % 2 == 0 else sum(divmod(2 * digit, 10)) for at, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def user_beside(fields: Iterable[tuple[str, str]]) -> str | None:
    """Who signs in with the password that is among these fields."""
    given = [(name, value) for name, value in fields if value and not is_password(name)]
    named = next((value for name, value in given if _USER.search(name) and not _TOKEN_NAME.search(name)), None)
    return named or next((value for _, value in given if "@" in value), None)
