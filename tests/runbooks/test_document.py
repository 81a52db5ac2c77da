"""One file: what it says, and where it is wrong."""

from pathlib import Path

import pytest

from probes.files.mistakes import Mistake
from runbooks.document import Runbook, read

GOOD = """---
runbook: slow-search
title: Search is slow
title_zh: 搜索缓慢
matches: [service="search", severity=~"SEV1|SEV2"]
reviewed: 2026-06-01
review_every: 90d
---
Before any heading.

## Meaning
It is slow.

```
## not a heading, but code
```
## Impact
Few find anything.
## Diagnosis
Look.
## Mitigation
Do.
## Communication
```update
public: true
status: identified
en: Search is slow.
zh: 搜索缓慢。
```
"""

BAD = {
    "no front matter": (
        "# Title\n",
        "r.md:1: has no front matter (start with ---, runbook: NAME, title: …, and ---)",
    ),
    "front matter without an end": (
        "---\nrunbook: x\ntitle: y\n",
        "r.md:1: has no front matter (start with ---, runbook: NAME, title: …, and ---)",
    ),
    "unknown key": (
        GOOD.replace("reviewed:", "reviewd:"),
        'r.md:6: reviewd: unknown key "reviewd" (did you mean "reviewed"?)',
    ),
    "bad name": (
        GOOD.replace("runbook: slow-search", "runbook: Slow Search"),
        'r.md:2: runbook: "Slow Search" cannot be a runbook\'s name: use lower-case words joined by hyphens',
    ),
    "bad matcher": (
        GOOD.replace('severity=~"SEV1|SEV2"', "severity"),
        "r.md:5: matches: 'severity' is not a matcher: "
        'write name="value", name!="value", name=~"regex" or name!~"regex"',
    ),
    "bad regex": (
        GOOD.replace("SEV1|SEV2", "(SEV"),
        "r.md:5: matches: bad regex '(SEV': missing ): (SEV (RE2 syntax: no backreferences, no look-around)",
    ),
    "bad duration": (
        GOOD.replace("90d", "90"),
        "r.md:7: review_every: 90 is not a duration: "
        "write a number with its unit, such as 500ms, 30s, 5m, 1h, 7d",
    ),
    "bad update": (
        GOOD.replace("status: identified", "status: fine"),
        'r.md:26: status: should be investigating, identified, monitoring or resolved, not "fine"',
    ),
}  # fmt: skip


def parsed(folder: Path, text: str) -> tuple[Runbook | None, list[Mistake]]:
    path = folder / "r.md"
    path.write_text(text, encoding="utf-8")
    mistakes: list[Mistake] = []
    return read(path, mistakes, folder), mistakes


def test_front_matter_sections_and_updates_are_read(tmp_path: Path) -> None:
    runbook, mistakes = parsed(tmp_path, GOOD)
    assert mistakes == []
    assert runbook is not None
    assert (runbook.name, runbook.head.title_zh) == ("slow-search", "搜索缓慢")
    assert list(runbook.sections) == ["Meaning", "Impact", "Diagnosis", "Mitigation", "Communication"]
    assert runbook.sections["Impact"] == "Few find anything."
    assert "## not a heading, but code" in runbook.sections["Meaning"]
    assert [(u.public, u.status, u.en, u.zh) for u in runbook.updates] == [
        (True, "identified", "Search is slow.", "搜索缓慢。")
    ]


def test_windows_line_ends_are_read_alike(tmp_path: Path) -> None:
    runbook, _ = parsed(tmp_path, GOOD.replace("\n", "\r\n"))
    assert runbook is not None and len(runbook.sections) == 5


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_line_and_cure(tmp_path: Path, name: str) -> None:
    text, message = BAD[name]
    _, mistakes = parsed(tmp_path, text)
    assert message in [str(mistake) for mistake in mistakes]


def test_a_missing_section_is_a_warning_and_the_runbook_still_serves(tmp_path: Path) -> None:
    runbook, mistakes = parsed(tmp_path, GOOD.replace("## Impact", "### Impact"))
    assert runbook is not None
    assert [str(m) for m in mistakes] == ['r.md:1: warning: has no section "## Impact" (people look for it at 3 a.m.)']


@pytest.mark.parametrize(("today", "overdue"), [("2026-08-30", False), ("2026-08-31", True)])
def test_a_review_is_overdue_after_its_interval(tmp_path: Path, today: str, overdue: bool) -> None:
    from datetime import date

    runbook, _ = parsed(tmp_path, GOOD)
    assert runbook is not None and runbook.review_overdue(date.fromisoformat(today)) is overdue
