"""The encodings of text that the web uses, by the names that servers and pages give them.

Python knows more than these, and would look for any name: `punycode` takes minutes over a megabyte, `undefined` raises
errors of its own, and every name that is none stays in memory for good.
"""

from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache

_LONGEST = 40  # characters of a name

# Source: WHATWG's Encoding standard, and the plain UTF-32 that old servers send.
_OF_THE_WEB = frozenset((
    "ascii", "big5", "big5hkscs", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257",
    "cp1258", "cp866", "cp874", "cp932", "cp949", "euc_jp", "euc_kr", "gb18030", "gb2312", "gbk", "iso2022_jp",
    "iso8859_10", "iso8859_13", "iso8859_14", "iso8859_15", "iso8859_16", "iso8859_2", "iso8859_3", "iso8859_4",
    "iso8859_5", "iso8859_6", "iso8859_7", "iso8859_8", "iso8859_9", "koi8_r", "koi8_u", "latin_1", "mac_cyrillic",
    "mac_roman", "shift_jis", "tis_620", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_8", "utf_8_sig",
))  # fmt: skip


def codec(name: str) -> str | None:
    """Python's name of an encoding; None for what is none of the web's."""
    return _codec(name.lower()) if len(name) <= _LONGEST else None


@lru_cache(maxsize=256)
def _codec(name: str) -> str | None:
    if not name.isascii():
        return None
    normal = normalize_encoding(name)
    found = aliases.get(normal, normal)
    return found if found in _OF_THE_WEB else None
