"""`make bench`: what probing costs, how late runs start, and how soon a fault is told of, against limits.

Each beside its peer in the same run: Debian's blackbox exporter for the cost, and for the time the chain of
Prometheus, blackbox exporter and Alertmanager. Exit code 1 where a limit is broken.

Cost: both probe the same target, 50 at a time; each probe of the peer, and each run of ours, over a new connection.
Counted is the user and system time of the whole process that probes; neither the target nor whoever asks the peer is
counted. Rounds alternate, and the median counts, because a shared machine is not the same from one second to the next.
"""

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import trustme

from tests.bench import detection, intake, load, peer, storm
from tests.bench.shops import target

AT_ONCE = 50


@dataclass(frozen=True)
class Measure:
    what: str
    entry: str  # of tests.bench.ours
    module: str  # of the peer's configuration
    target: float  # at most this many times the peer's CPU
    count: int = 2000  # of ours, a round
    probes: int = 1  # of the peer, for one of ours


MEASURES = [
    Measure("transport, plain", "transport", "plain", 0.8),
    Measure("transport, TLS", "transport", "tls", 1.15, count=1000),
    Measure("one-step journey, plain", "journey", "plain", 1.2),
    Measure("five-step journey, plain", "five", "plain", 0.8, count=1000, probes=5),
    Measure("five-step journey, TLS", "five", "tls", 0.7, count=1000, probes=5),
]


def ours(entry: str, url: str, count: int, ca: Path) -> float:
    command = [sys.executable, "-m", "tests.bench.ours", entry, url, str(count), str(AT_ONCE), str(ca)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def compare(measure: Measure, url: str, ca: Path, other: peer.Peer | None, rounds: int) -> bool:
    """Prints one line of the table, and says whether the target is met."""
    our_costs, its_costs = [], []
    for _ in range(rounds):
        our_costs.append(ours(measure.entry, url, measure.count, ca) / measure.count * 1000)
        if other is not None:
            its_costs.append(
                other.cpu_seconds(measure.module, url, measure.count * measure.probes, AT_ONCE) / measure.count * 1000
            )
    mine = median(our_costs)
    if not its_costs:
        print(f"{measure.what:<26}{mine:>9.3f}{'-':>9}{'-':>8}{measure.target:>8}  not compared")
        return True
    theirs = median(its_costs)
    met = mine / theirs <= measure.target
    row = f"{measure.what:<26}{mine:>9.3f}{theirs:>9.3f}{mine / theirs:>8.2f}{measure.target:>8}"
    print(f"{row}  {'yes' if met else 'NO'}", flush=True)
    return met


def cost(rounds: int) -> bool:
    """CPU per probe and per journey, beside the peer; then 2,000 journeys at once."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shopwatch-bench-")))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            str(folder / "shop.pem")
        )
        urls = {
            "plain": f"http://127.0.0.1:{stack.enter_context(target())}/",
            "tls": f"https://127.0.0.1:{stack.enter_context(target(str(folder / 'shop.pem')))}/",
        }
        other = None
        if peer.installed():
            other = stack.enter_context(peer.running(folder, folder / "ca.pem"))
        else:
            print(f"{peer.PROGRAM} is not installed (apt-get install {peer.PROGRAM}): our own cost only")
        print(f"CPU, {AT_ONCE} at a time, a new connection for each run and each probe, median of {rounds} rounds")
        print(f"{'what':<26}{'ours ms':>9}{'peer ms':>9}{'ratio':>8}{'target':>8}  met")
        results = [compare(measure, urls[measure.module], folder / "ca.pem", other, rounds) for measure in MEASURES]
        results.append(load.compare(folder / "load", urls["plain"], other, 10.0 * rounds))
    return all(results)


def main() -> int:
    if sys.argv[1:2] == ["detection"]:
        return detection.main(sys.argv[2:])
    if sys.argv[1:2] == ["intake"]:
        return intake.main()
    if sys.argv[1:2] == ["storm"]:
        return 0 if storm.compare() else 1
    met = cost(int(sys.argv[1]) if sys.argv[1:] else 5)
    if detection.installed():
        met = detection.compare(detection.EAGER, detection.FAULTS) and met
    else:
        print(f"not all of {', '.join(detection.PROGRAMS)} are installed: nothing to compare the alert's way with")
    met = intake.main() == 0 and met
    return 0 if storm.compare() and met else 1


if __name__ == "__main__":
    sys.exit(main())
