"""Words of a POSIX shell's command lines, as browsers write them when they copy a request as cURL. Nothing is run."""

import re

from probes.importing.recording import CannotImport

_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "0": "\0",
}
_CODED = re.compile(r"x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})")
_ENDS = ";&|\n"


def commands(text: str) -> list[list[str]]:
    """The words of each command; `;`, `&`, `|` and ends of lines separate them. Raises CannotImport."""
    if '^"' in text or "^\n" in text or "^\r\n" in text:
        raise CannotImport("this was copied for the Windows command line: choose Copy as cURL (bash)")
    reader = _Reader(text.replace("\r\n", "\n"))
    return [words for words in reader.read() if words]


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.word: list[str] | None = None
        self.found: list[list[str]] = [[]]

    def read(self) -> list[list[str]]:
        while self.at < len(self.text):
            self._one(self.text[self.at])
        self._end_word()
        return self.found

    def _one(self, sign: str) -> None:
        self.at += 1
        if sign in _ENDS:
            self._end_word()
            self.found.append([])
        elif sign.isspace():
            self._end_word()
        elif sign == "#" and self.word is None:
            self._skip_comment()
        elif sign == "\\":
            self._escaped()
        elif sign == "'":
            self._add(self._until("'"))
        elif sign == '"':
            self._add(self._double())
        elif sign == "$" and self.text[self.at : self.at + 1] == "'":
            self.at += 1
            self._add(self._ansi())
        else:
            self._add(sign)

    def _add(self, text: str) -> None:
        self.word = [*(self.word or ()), text]

    def _end_word(self) -> None:
        if self.word is not None:
            self.found[-1].append("".join(self.word))
            self.word = None

    def _skip_comment(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _escaped(self) -> None:
        sign = self.text[self.at : self.at + 1]
        self.at += 1
        if sign != "\n":  # a line that goes on
            self._add(sign)

    def _until(self, quote: str) -> str:
        end = self.text.find(quote, self.at)
        if end < 0:
            raise CannotImport(f"a quote ({quote}) is not closed: was all of the command pasted?")
        text, self.at = self.text[self.at : end], end + 1
        return text

    def _double(self) -> str:
        pieces = []
        while (sign := self.text[self.at : self.at + 1]) != '"':
            if not sign:
                raise CannotImport('a quote (") is not closed: was all of the command pasted?')
            self.at += 1
            if sign == "\\" and self.text[self.at : self.at + 1] in ('"', "\\", "$", "`", "\n"):
                sign = self.text[self.at].replace("\n", "")
                self.at += 1
            pieces.append(sign)
        self.at += 1
        return "".join(pieces)

    def _ansi(self) -> str:
        pieces = []
        while (sign := self.text[self.at : self.at + 1]) != "'":
            if not sign:
                raise CannotImport("a quote ($') is not closed: was all of the command pasted?")
            self.at += 1
            pieces.append(self._ansi_escape() if sign == "\\" else sign)
        self.at += 1
        return "".join(pieces)

    def _ansi_escape(self) -> str:
        if coded := _CODED.match(self.text, self.at):
            self.at = coded.end()
            code = int(coded[1] or coded[2] or coded[3], 16)
            return chr(code) if code < 0x110000 else "\ufffd"
        sign = self.text[self.at : self.at + 1]
        self.at += 1
        return _ESCAPES.get(sign, "\\" + sign)
