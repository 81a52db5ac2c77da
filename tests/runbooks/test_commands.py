"""`shopwatch runbook …` as the engineer types it."""

import json
from pathlib import Path

from click.testing import CliRunner

from cli import shopwatch


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(shopwatch, ["-w", str(Path(__file__).parent), "runbook", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_list_shows_the_shipped_ones_without_a_workspace() -> None:
    code, out, _ = run("list")
    assert code == 0
    assert "payment-channel-failure   Payments fail or hang" in out


def test_list_with_labels_shows_what_such_an_alert_would_open() -> None:
    code, out, _ = run("list", "service=payment", "alertname=JourneyDown", "--json")
    assert code == 0
    assert [item["runbook"] for item in json.loads(out)] == ["payment-channel-failure"]


def test_show_prints_markdown_when_piped() -> None:
    code, out, _ = run("show", "login-failure", "--section", "meaning")
    assert code == 0
    assert out.startswith("# Shoppers cannot sign in · 用户无法登录\n\n## Meaning\n")
    assert "## Impact" not in out


def test_show_as_json_has_sections_and_prepared_updates() -> None:
    _, out, _ = run("show", "server-down", "--json")
    shown = json.loads(out)
    assert next(iter(shown["sections"])) == "Meaning"
    assert shown["updates"][-1]["status"] == "resolved"


def test_a_runbook_that_is_not_there_ends_with_4_and_a_suggestion() -> None:
    code, out, err = run("show", "server-dwn")
    assert (code, out) == (4, "")
    assert 'did you mean "server-down"?' in err


def test_a_section_that_is_not_there_ends_with_4_and_names_those_that_are() -> None:
    code, _, err = run("show", "server-down", "--section", "Pricing")
    assert code == 4
    assert "Meaning, Impact, Diagnosis" in err


def test_a_label_without_a_value_ends_with_2() -> None:
    code, _, err = run("list", "payment")
    assert code == 2
    assert '"payment" is not LABEL=VALUE' in err


def test_control_characters_in_a_runbook_never_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "runbooks").mkdir()
    text = '---\nrunbook: evil\ntitle: "a\\e[2Jb"\n---\n## Meaning\nx\n'
    (tmp_path / "runbooks" / "evil.md").write_text(text)
    result = CliRunner().invoke(shopwatch, ["-w", str(tmp_path), "runbook", "show", "evil"])
    assert "\x1b" not in result.output
    assert r"a\x1b[2Jb" in result.output
