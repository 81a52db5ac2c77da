"""How the shop's services need one another, and so where trouble that shows in several places lies. Pure."""

from collections.abc import Iterable, Mapping


class ServiceMap:
    """`needs` names, for each service, those it cannot work without; what those need in turn is worked out here."""

    def __init__(self, needs: Mapping[str, Iterable[str]]) -> None:
        self._deeper = {service: _reachable(service, needs) for service in needs}

    def needs(self, service: str, other: str) -> bool:
        """Whether `service` cannot work without `other`, directly or through others. Nothing needs itself."""
        return other != service and other in self._deeper.get(service, ())

    def both_need(self, service: str, other: str) -> str | None:
        """What neither of these can work without, the nearest; None when there is nothing. Not one of the two."""
        shared = self._deeper.get(service, frozenset()) & self._deeper.get(other, frozenset())
        return max(sorted(shared), key=self.depth, default=None)

    def depth(self, service: str) -> int:
        """How many services this one needs in all. What others need has a smaller depth than they have."""
        return len(self._deeper.get(service, ()))


def _reachable(service: str, needs: Mapping[str, Iterable[str]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = [service]
    while waiting:
        for deeper in needs.get(waiting.pop(), ()):
            if deeper not in found:
                found.add(deeper)
                waiting.append(deeper)
    return frozenset(found - {service})
