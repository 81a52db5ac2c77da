"""A result, taken apart into what almost every run of a journey has in common and the few numbers that differ.

The shape (names, outcomes, reasons, statuses) is stored once, however many runs share it. What only a failed run says
at length (expected, seen, the command that repeats it) is in neither: it is evidence, kept apart.
"""

import json
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_STEP = 1.04  # neighbouring durations that can be told apart: what is kept is within 2 % of what was measured
_LOG_STEP = math.log(_STEP)
_MIDDLE = 32_768  # of what 16 bits hold: a difference of nothing
_NAME = 200  # characters of a name that are kept
_STEPS = 200  # of a run; no journey of ours is as long
_PHASES = 8

Shape = dict[str, Any]


def quantized(seconds: float) -> int:
    """A duration as a number of 16 bits, on a scale of 4 % a step; 0 is less than a microsecond."""
    return 0 if seconds < 1e-6 else min(_MOST, 1 + round(math.log(seconds * 1e6) / _LOG_STEP))


_MOST = 749
_DURATIONS = [0.0, *(math.exp(number * _LOG_STEP) / 1e6 for number in range(_MOST))]


def duration(number: int) -> float:
    """Seconds, to 2 % of what was quantized."""
    return _DURATIONS[min(max(number, 0), _MOST)]


def take_apart(result: Mapping[str, Any]) -> tuple[Shape, "array[int]"]:
    """The shape and the numbers of a result: its duration, then of each step that ran its attempts, duration, phases.

    Durations are kept to 2 %, phases to 6 %.

    Whatever a step lacks or has in a form that makes no sense is left out: results come from outside.
    """
    numbers = array("H", [quantized(float(result["duration_s"]))])
    shape: Shape = {
        "service": result["service"],
        "outcome": result["outcome"],
        "account": _text(result.get("account")),
        "labels": _labels(result.get("labels")),
    }
    for part in ("steps", "cleanup"):
        shape[part] = [_step(step, numbers) for step in _steps(result.get(part))]
    return shape, numbers


def put_together(shape: Shape, numbers: Sequence[int]) -> dict[str, Any]:
    """What is left of a result: that of `take_apart`, with durations to 2 %, phases to 6 %."""
    rest = iter(numbers[1:])
    return {
        "service": shape["service"],
        "outcome": shape["outcome"],
        "duration_s": _rounded(numbers[0]),
        "steps": [_made_step(step, rest) for step in shape["steps"]],
        "cleanup": [_made_step(step, rest) for step in shape["cleanup"]],
        "labels": shape["labels"],
        "account": shape["account"],
    }


def text_of(shape: Shape) -> str:
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def failing_step(shape: Shape) -> tuple[str, str] | None:
    """Name and reason of the step that decided the outcome; None where the run was up, or names no step."""
    for outcome in ("down", "degraded"):
        for step in shape["steps"]:
            if step["outcome"] == outcome:
                return step["name"], step["reason"] or ""
    return None


def milliseconds(instant: datetime) -> int:
    """Since 1970."""
    return round(instant.timestamp() * 1000)


def instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _rounded(number: int) -> float:
    return float(f"{duration(number):.3g}")


def _steps(found: Any) -> list[Mapping[str, Any]]:
    return [step for step in found[:_STEPS] if isinstance(step, Mapping)] if isinstance(found, list) else []


def _step(step: Mapping[str, Any], numbers: "array[int]") -> Shape:
    outcome = step.get("outcome")
    shape: Shape = {
        "name": _text(step.get("name")) or "",
        "outcome": outcome if outcome in ("up", "degraded", "down", "skipped") else "skipped",
    }
    for name in ("service", "reason"):
        shape[name] = _text(step.get(name))
    status = step.get("status")
    shape["status"] = status if isinstance(status, int) and 0 <= status < 1000 else None
    if shape["outcome"] == "skipped":
        return shape
    phases = dict(_phases(step.get("phases")))
    shape["phases"] = list(phases)
    attempts = step.get("attempts", 1)
    numbers.append(attempts if isinstance(attempts, int) and 0 <= attempts <= 65535 else 1)
    numbers.append(_quantized(step.get("duration_s")) - _foreseen(phases.values()) + _MIDDLE)
    numbers.extend(phases.values())
    return shape


def _phases(found: Any) -> Iterator[tuple[str, int]]:
    if isinstance(found, Mapping):
        for name, seconds in list(found.items())[:_PHASES]:
            yield str(name)[:_NAME], _quantized(seconds) // 2 * 2


def _foreseen(phases: Iterable[int]) -> int:
    """A step's duration as its phases let one expect it: what it differs by needs fewer bits."""
    return quantized(sum(duration(phase) for phase in phases))


def _quantized(seconds: Any) -> int:
    return quantized(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 1e6 else 0


def _made_step(shape: Shape, numbers: Iterator[int]) -> dict[str, Any]:
    ran = shape["outcome"] != "skipped"
    attempts, differs = (next(numbers), next(numbers)) if ran else (1, 0)
    phases = [next(numbers) for _ in shape["phases"]] if ran else []
    return {
        "name": shape["name"],
        "service": shape["service"],
        "outcome": shape["outcome"],
        "reason": shape["reason"],
        "expected": None,
        "seen": None,
        "status": shape["status"],
        "attempts": attempts,
        "duration_s": _rounded(differs + _foreseen(phases) - _MIDDLE) if ran else 0.0,
        "phases": dict(zip(shape["phases"], map(_rounded, phases), strict=True)) if ran else {},
        "url": None,
        "curl": None,
    }


def _text(value: Any) -> str | None:
    return value[:_NAME] if isinstance(value, str) else None


def _labels(found: Any) -> dict[str, str]:
    if not isinstance(found, Mapping):
        return {}
    return {str(name)[:_NAME]: str(value)[:_NAME] for name, value in list(found.items())[:50]}
