"""`check` on whole workspaces, and the command itself."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import shopwatch
from drills.checks import check_workspace
from drills.schemas import KINDS
from incident.settings import load_settings
from probes.files.mistakes import errors
from probes.files.workspace import Workspace
from tests.check.good import JOURNEY, workspace

FULL = Path(__file__).parent / "full.yaml"
SECRETS = dict.fromkeys(("PARTNER_SECRET", "BOT", "APP", "SIGNING", "PROM", "GRAF", "GRAF_HMAC"), "opensesame")
VARIABLES = {**SECRETS, "TEXT_URL": "smtp://me:pw1234@mail.example"}


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(shopwatch, ["-w", str(folder), *arguments], env={"SHOP_URL": None})
    return result.exit_code, result.stdout, result.stderr


def full(folder: Path) -> Path:
    workspace(folder)
    (folder / "shopwatch.yaml").write_bytes(FULL.read_bytes())
    return folder


def test_every_section_in_use_is_no_mistake_when_its_variables_are_set(tmp_path: Path) -> None:
    report = check_workspace(full(tmp_path), VARIABLES)
    assert errors(report.mistakes) == []
    assert report.clean


def test_every_section_is_read_into_the_settings(tmp_path: Path) -> None:
    settings = load_settings(Workspace(full(tmp_path), VARIABLES))
    assert settings.shop.languages == ("zh", "en")
    assert settings.services["checkout"].needs == ("login", "cart")
    assert settings.schedules["week"].layers[1].only == "Sat,Sun 20:00-08:00"
    assert settings.channels["text"].kind == "apprise"
    assert settings.routes[0].match[0].matches({"severity": "SEV2"})
    assert settings.routes[0].routes[0].channels == ("ops", "text")
    assert settings.slack is not None
    assert settings.slack.bot_token == "opensesame"
    assert settings.incidents.auto_resolve == 45 * 60
    assert settings.limits.retention.runs == 7 * 86400


def test_printing_the_settings_shows_no_secret(tmp_path: Path) -> None:
    text = repr(load_settings(Workspace(full(tmp_path), VARIABLES)))
    assert "opensesame" not in text
    assert "pw1234" not in text


def test_every_variable_that_is_missing_is_named(tmp_path: Path) -> None:
    said = "\n".join(str(mistake) for mistake in errors(check_workspace(full(tmp_path), {}).mistakes))
    assert all(f"${{{name}}} is not set" in said for name in VARIABLES)
    assert len(said.splitlines()) == len(VARIABLES)


def test_a_workspace_without_a_mistake_is_exit_0(tmp_path: Path) -> None:
    assert run(workspace(tmp_path), "check") == (0, "1 journey, 0 runbooks, 0 drills: no mistakes\n", "")


def test_a_mistake_is_exit_1_and_the_rest_is_checked_all_the_same(tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    (folder / "shopwatch.yaml").write_text("shop: {}\n")
    (folder / "probes" / "home.yaml").write_text(JOURNEY.replace("every", "evry"))
    (folder / "drills" / "d.yaml").write_text("drill: a\n")
    code, out, err = run(folder, "check")
    assert code == 1
    assert out.splitlines() == [
        'shopwatch.yaml:1: shop: "name" is missing',
        'shopwatch.yaml:1: "services" is missing',
        'drills/d.yaml:1: "title" is missing',
        'drills/d.yaml:1: "faults" is missing',
        'probes/home.yaml:1: "every" is missing',
        'probes/home.yaml:3: evry: unknown key "evry" (did you mean "every"?)',
    ]
    assert err == "0 journeys, 0 runbooks, 0 drills: 6 mistakes\n"


def test_warnings_alone_are_exit_0(tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    (folder / "probes" / "home.yaml").write_text(JOURNEY + "tls: {verify: false}\n")
    code, out, err = run(folder, "check")
    assert code == 0
    assert "probes/home.yaml:7: tls.verify: warning: " in out
    assert err.endswith("1 warning\n")


def test_json_is_one_document_with_the_fields_of_every_mistake(tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    (folder / "probes" / "home.yaml").write_text(JOURNEY.replace("login", "logn"))
    code, out, _ = run(folder, "check", "--json")
    assert code == 1
    assert json.loads(out) == [
        {
            "file": "probes/home.yaml",
            "line": 2,
            "path": "service",
            "problem": 'there is no service "logn"',
            "hint": 'did you mean "login"?',
            "level": "error",
        }
    ]


def test_json_of_a_workspace_without_a_mistake_is_an_empty_list(tmp_path: Path) -> None:
    code, out, _ = run(workspace(tmp_path), "check", "--json")
    assert (code, json.loads(out)) == (0, [])


def test_an_empty_folder_is_a_mistake_that_says_how_to_begin(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, "check")
    assert code == 1
    assert out == "shopwatch.yaml:1: is missing (`shopwatch init DIR` writes a workspace to start from)\n"


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    code, out, err = run(tmp_path / "nowhere", "check")
    assert (code, out) == (2, "")
    assert "is not a folder" in err


def test_a_workspace_that_watches_nothing_is_warned_about(tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    (folder / "probes" / "home.yaml").unlink()
    code, out, _ = run(folder, "check")
    assert (code, out) == (0, "shopwatch.yaml:1: warning: no journey in probes/: nothing watches the shop\n")


def test_the_same_name_in_two_files_is_a_mistake(tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    (folder / "probes" / "other.yaml").write_text("# a copy\n" + JOURNEY)
    _, out, _ = run(folder, "check")
    assert out == 'probes/other.yaml:2: journey: journey "home" is there twice (first in probes/home.yaml:1)\n'


def test_files_that_cannot_be_read_are_mistakes_among_others(tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    (folder / "probes" / "a.yaml").mkdir()
    (folder / "drills" / "b.yaml").symlink_to("nowhere")
    _, out, _ = run(folder, "check")
    assert out.splitlines() == [
        "drills/b.yaml:1: cannot be read: No such file or directory",
        "probes/a.yaml:1: cannot be read: Is a directory",
    ]


def test_a_file_in_place_of_a_folder_is_said(tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    (folder / "drills").rmdir()
    (folder / "drills").write_text("x")
    _, out, _ = run(folder, "check")
    assert out == "drills:1: cannot be read: Not a directory\n"


def test_hostile_text_in_a_file_does_not_reach_the_terminal(tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    (folder / "probes" / "home.yaml").write_text(JOURNEY.replace("login", r'"\e[2Jx"'))
    _, out, _ = run(folder, "check")
    assert "\x1b" not in out
    assert r"\x1b[2Jx" in out


@pytest.mark.parametrize("kind", KINDS)
def test_schema_prints_a_json_schema_of_each_kind_of_file(kind: str, tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, "schema", kind)
    document = json.loads(out)
    assert code == 0
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["additionalProperties"] is False
    assert document["properties"]


def test_the_schema_of_a_drill_knows_the_switches_and_their_types(tmp_path: Path) -> None:
    _, out, _ = run(tmp_path, "schema", "drill")
    switches = json.loads(out)["$defs"]["Fault"]["properties"]["shop"]
    assert "boolean" in json.dumps(switches)
    assert "psp_declines" in json.dumps(switches)


def test_schema_of_anything_else_is_a_usage_error(tmp_path: Path) -> None:
    code, _, err = run(tmp_path, "schema", "jurney")
    assert code == 2
    assert "shopwatch" in err
