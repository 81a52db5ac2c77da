"""How many alerts come at once: trouble that shows everywhere has begun deeper than where it was seen first."""

from collections import deque

_CROWD = 5  # alerts that come together: the trouble may lie in a service of which nothing has been heard yet
_STORM = 50  # alerts within a while: what is in trouble together is taken to have one cause
_WHILE = 10.0  # seconds


class Crowds:
    """`come`: a crowd came since the last look. `begins`: none had before. `storm`: many have come within a while."""

    def __init__(self) -> None:
        self.come = self.begins = False
        self._heard_of = 0
        self._lately: deque[tuple[float, int]] = deque()

    def look(self, heard_of: int, at: float) -> None:
        """`heard_of`: how many alerts have come in all; `at`: seconds, of a clock that nobody sets."""
        news = heard_of - self._heard_of
        self.begins = news > _CROWD and not self.come
        self.come = news > _CROWD
        self._count(news, at)

    def let_come(self, heard_of: int, at: float) -> None:
        """Those that came while the first of them were left waiting."""
        self._count(heard_of - self._heard_of, at)

    @property
    def storm(self) -> bool:
        return sum(news for _, news in self._lately) > _STORM

    def _count(self, news: int, at: float) -> None:
        self._heard_of += news
        self._lately.append((at, news))
        while self._lately[0][0] < at - _WHILE:
            self._lately.popleft()
