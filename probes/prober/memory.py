"""What the prober remembers across its own restarts: each journey's alert state, and when it last ran."""

import json
import math
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from probes.prober.rules import JourneyState, Open, Over, Run
from probes.result import Outcome

log = structlog.get_logger("prober")

VERSION = 1
_saving = threading.Lock()


@dataclass
class Remembered:
    """By journey. `last_runs`: Unix seconds at which a run last started. `own`: alerts that are about no journey's
    runs, each by a name of its own. `unsaid`: whose last run failed for the prober's own trouble, and says nothing."""

    states: dict[str, JourneyState] = field(default_factory=dict)
    last_runs: dict[str, float] = field(default_factory=dict)
    own: dict[str, JourneyState] = field(default_factory=dict)
    unsaid: set[str] = field(default_factory=set)
    _texts: dict[tuple[str, str], tuple[JourneyState, str]] = field(default_factory=dict, repr=False, compare=False)

    def text(self) -> Iterator[str]:
        """JSON for `from_json`, bit by bit: thousands of alerts are not to keep a run waiting. What changes meanwhile
        may be in it or not. A state that is the same as at the last time is not written anew."""
        known, self._texts = self._texts, {}
        last_runs = json.dumps({name: round(at, 3) for name, at in self.last_runs.items()})
        yield f'{{"version": {VERSION}, "last_runs": {last_runs}, "unsaid": {json.dumps(sorted(self.unsaid))}'
        for part, states in (("states", self.states), ("own", self.own)):
            yield f', "{part}": {{'
            comma = ""
            for name, state in list(states.items()):
                if part == "states" and state.quiet:
                    continue
                before = known.get((part, name))
                if before is None or before[0] is not state:
                    before = (state, f"{json.dumps(name)}: {json.dumps(_state_to_json(state))}")
                self._texts[part, name] = before
                yield comma + before[1]
                comma = ", "
            yield "}"
        yield "}"

    @staticmethod
    def from_json(data: Any) -> "Remembered":
        """Raises ValueError, KeyError or TypeError (and no other) for what `text` did not write."""
        if not isinstance(data, dict) or data.get("version") != VERSION:
            raise ValueError("written by another version, or not by Shopwatch")
        states = {str(name): _state_from_json(state) for name, state in dict(data["states"]).items()}
        last_runs = {str(name): float(at) for name, at in dict(data["last_runs"]).items()}
        if not all(map(math.isfinite, last_runs.values())):
            raise ValueError("a run at no time")
        own = {str(name): _state_from_json(state) for name, state in dict(data.get("own", {})).items()}
        return Remembered(states, last_runs, own, {str(name) for name in data.get("unsaid", ())})


def load(path: Path) -> Remembered:
    """Nothing where there is no file. A damaged file is put aside and said: the prober goes on without its memory."""
    try:
        return Remembered.from_json(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Remembered()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        aside = path.with_suffix(".damaged.json")
        log.error("what the prober remembered is unreadable; it starts afresh", file=str(aside), error=repr(error))
        with suppress(OSError):  # said above; it will be overwritten
            path.replace(aside)
        return Remembered()


def save(path: Path, text: str, *, durable: bool) -> None:
    """Atomic: a crash leaves the old text or the new. One at a time, in any threads. Raises OSError."""
    temporary = path.with_suffix(".new")
    with _saving:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(descriptor)
        temporary.replace(path)


def _state_to_json(state: JourneyState) -> dict[str, Any]:
    return {
        "history": [[str(run.outcome), run.at.isoformat()] for run in state.history],
        "down": None if state.down is None else _open_to_json(state.down),
        "degraded": None if state.degraded is None else _open_to_json(state.degraded),
        "elsewhere": None if state.elsewhere is None else [state.elsewhere[0], state.elsewhere[1].isoformat()],
        "over": [_over_to_json(over) for over in state.over],
        "raised": [[kind, at.isoformat()] for kind, at in state.raised],
        "certificate": None if state.certificate is None else _open_to_json(state.certificate),
    }


def _open_to_json(alert: Open) -> dict[str, Any]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": alert.starts_at.isoformat(),
        "restless": None if alert.restless is None else alert.restless.isoformat(),
    }


def _over_to_json(alert: Over) -> dict[str, Any]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": alert.starts_at.isoformat(),
        "ends_at": alert.ends_at.isoformat(),
        "repeats": alert.repeats,
    }


def _state_from_json(data: Any) -> JourneyState:
    elsewhere = data["elsewhere"]
    return JourneyState(
        history=tuple(Run(Outcome(outcome), _instant(at)) for outcome, at in data["history"]),
        down=None if data["down"] is None else _open_from_json(data["down"]),
        degraded=None if data["degraded"] is None else _open_from_json(data["degraded"]),
        elsewhere=None if elsewhere is None else (str(elsewhere[0]), _instant(elsewhere[1])),
        over=tuple(_over_from_json(over) for over in data["over"]),
        raised=tuple((str(kind), _instant(at)) for kind, at in data.get("raised", ())),
        certificate=_open_from_json(data["certificate"]) if data.get("certificate") else None,
    )


def _over_from_json(data: Any) -> Over:
    labels, annotations = _texts(data["labels"]), _texts(data["annotations"])
    return Over(labels, annotations, _instant(data["starts_at"]), _instant(data["ends_at"]), int(data["repeats"]))


def _open_from_json(data: Any) -> Open:
    """`sent_at` is not kept: what fired before a restart is said again at once."""
    restless = data.get("restless")
    return Open(
        _texts(data["labels"]),
        _texts(data["annotations"]),
        _instant(data["starts_at"]),
        restless=None if restless is None else _instant(restless),
    )


def _texts(data: Any) -> Mapping[str, str]:
    return {str(key): str(value) for key, value in data.items()}


def _instant(text: Any) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
