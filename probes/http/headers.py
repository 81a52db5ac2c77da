"""The headers of an answer, or of a request that was sent: by name, in any case."""

from collections.abc import Iterator, Sequence
from itertools import chain

Pairs = Sequence[tuple[bytes, bytes]]


def _encoding(raw: Pairs) -> str:
    """ASCII is what they should be; what else they are they are all together."""
    whole = b"\n".join(chain.from_iterable(raw))
    if whole.isascii():
        return "ascii"
    try:
        whole.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


class Headers:
    """`raw` as they came, in their order. Sought by a name in whatever case, as people write it."""

    __slots__ = ("_values", "raw")

    def __init__(self, raw: Pairs) -> None:
        self.raw = raw
        encoding = _encoding(raw)
        self._values: dict[str, list[str]] = {}
        for name, value in raw:
            self._values.setdefault(name.lower().decode(encoding), []).append(value.decode(encoding))

    def get_list(self, name: str) -> list[str]:
        return list(self._values.get(name.lower(), ()))

    def get(self, name: str) -> str | None:
        """Several of the same name as one, with commas between them."""
        values = self._values.get(name.lower())
        return None if values is None else ", ".join(values)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def items(self) -> Iterator[tuple[str, str]]:
        """Names in lower case, each once."""
        for name, values in self._values.items():
            yield name, ", ".join(values)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values
