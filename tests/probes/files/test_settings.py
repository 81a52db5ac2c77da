from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from probes.files.settings import ShopSettings, needs_cycle
from probes.files.workspace import Workspace, WorkspaceInvalid, load_workspace

SHOP: dict[str, Any] = {
    "shop": {"name": "Shop"},
    "services": {
        "login": {"title": "Sign-in"},
        "catalog": {"title": "Catalogue"},
        "cart": {"title": "Basket", "needs": ["catalog"]},
        "checkout": {"title": "Checkout", "needs": ["login", "cart"]},
    },
}
JOURNEY = "journey: home\nservice: login\nevery: 30s\nbase: https://shop.example\nsteps: [{get: /}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "probes").mkdir()
    (tmp_path / "probes" / "home.yaml").write_text(JOURNEY)
    (tmp_path / "shopwatch.yaml").write_text("shop: {name: Shop}\nservices: {login: {title: Sign-in}}\n")
    return tmp_path


def test_defaults_suit_one_machine_alone() -> None:
    settings = ShopSettings.model_validate(SHOP)
    assert settings.limits.mutates == "order"
    assert settings.limits.retention.rollups == 400 * 86400
    assert settings.shop.languages == ("en",)
    assert settings.services["login"].public


def test_needs_are_followed_to_the_end() -> None:
    settings = ShopSettings.model_validate(SHOP)
    assert settings.all_needs("checkout") == {"login", "cart", "catalog"}
    assert settings.all_needs("login") == frozenset()
    assert settings.all_needs("unassigned") == frozenset()


def test_following_needs_ends_even_in_a_circle() -> None:
    services = {"a": {"title": "A", "needs": ["b"]}, "b": {"title": "B", "needs": ["a"]}}
    assert ShopSettings.model_validate({**SHOP, "services": services}).all_needs("a") == {"b"}


def test_a_circle_of_needs_is_found_and_named_in_order() -> None:
    services = {
        "x": {"needs": ["a"]},
        "a": {"needs": ["b"]},
        "b": {"needs": ["c", "d"]},
        "c": {},
        "d": {"needs": ["a"]},
    }
    assert needs_cycle(services) == ["a", "b", "d", "a"]


@pytest.mark.parametrize("services", [None, [], {"a": None}, {"a": {"needs": "b"}}, {"a": {"needs": [1, {}]}}])
def test_looking_for_circles_takes_any_data(services: object) -> None:
    assert needs_cycle(services) is None


def test_the_probes_part_ignores_sections_of_others() -> None:
    ShopSettings.model_validate({**SHOP, "slack": {"nonsense": True}})


@pytest.mark.parametrize(
    "url", ["shop.example", "ftp://shop.example", "https://", "https://a b.example", "http://x:99999"]
)
def test_an_address_is_http_with_a_host(url: str) -> None:
    with pytest.raises(ValidationError, match="is not an address"):
        ShopSettings.model_validate({**SHOP, "shop": {"name": "Shop", "url": url}})


def test_a_variable_that_only_others_need_does_not_stop_the_probes(folder: Path) -> None:
    with (folder / "shopwatch.yaml").open("a") as file:
        file.write('slack: {bot_token: "${SLACK_BOT_TOKEN}"}\n')
    assert load_workspace(folder, {}).settings().shop.name == "Shop"


def test_the_state_folder_is_made_for_its_owner_alone(folder: Path) -> None:
    state = Workspace(folder).state
    assert state == folder / ".shopwatch"
    assert state.stat().st_mode & 0o777 == 0o700
    assert Workspace(folder).state == state


def test_a_state_folder_that_cannot_be_made_is_said(folder: Path) -> None:
    (folder / ".shopwatch").write_text("a file")
    with pytest.raises(WorkspaceInvalid, match=r"\.shopwatch:1: cannot be made"):
        _ = Workspace(folder).state


def test_journeys_know_the_file_and_line_they_came_from(folder: Path) -> None:
    (folder / "probes" / "two.yml").write_text(
        f"# two\n{JOURNEY.replace('home', 'a')}---\n{JOURNEY.replace('home', 'b')}"
    )
    journeys, mistakes = Workspace(folder, {}).journeys()
    assert mistakes == []
    assert [(j.name, j.file.name, j.line) for j in journeys] == [
        ("home", "home.yaml", 1),
        ("a", "two.yml", 2),
        ("b", "two.yml", 8),
    ]


def test_hidden_files_and_other_endings_are_no_journeys(folder: Path) -> None:
    (folder / "probes" / ".home.yaml.swp").write_text("x")
    (folder / "probes" / ".copy.yaml").write_text("x")
    (folder / "probes" / "README.md").write_text("x")
    assert [journey.name for journey in Workspace(folder, {}).journeys()[0]] == ["home"]


def test_journeys_are_read_anew_each_time(folder: Path) -> None:
    workspace = load_workspace(folder, {})
    (folder / "probes" / "home.yaml").write_text(JOURNEY.replace("30s", "10s"))
    assert workspace.journeys()[0][0].every == 10


def test_loading_a_workspace_lists_every_error_and_no_warning(folder: Path) -> None:
    (folder / "shopwatch.yaml").write_text("shop: {}\nservices: {login: {title: Sign-in}}\n")
    (folder / "probes" / "home.yaml").write_text(JOURNEY.replace("service", "servce") + "tls: {verify: false}\n")
    with pytest.raises(WorkspaceInvalid) as caught:
        load_workspace(folder, {})
    assert str(caught.value).splitlines() == [
        'shopwatch.yaml:1: shop: "name" is missing',
        'probes/home.yaml:1: "service" is missing',
        'probes/home.yaml:2: servce: unknown key "servce" (did you mean "service"?)',
    ]


def test_a_wrong_ending_of_the_settings_file_is_recognised(folder: Path) -> None:
    (folder / "shopwatch.yaml").rename(folder / "shopwatch.yml")
    with pytest.raises(WorkspaceInvalid, match=r"rename shopwatch\.yml to shopwatch\.yaml"):
        load_workspace(folder, {})
