"""What is wrong with the workspace's own template of reviews, for `shopwatch check`."""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.meta import find_undeclared_variables

from incident.reviews.writing import LARGEST_TEMPLATE, NAMES, TEMPLATE
from probes.files.mistakes import Mistake, did_you_mean, one_of
from probes.language.filters import ALL
from probes.language.sandbox import Sandbox


def template_mistakes(folder: Path) -> list[Mistake]:
    """Of the workspace's `runbooks/review.md.j2`; none where it has none."""
    path = folder / TEMPLATE
    if not path.is_file():
        return []
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return [Mistake(TEMPLATE, 1, "", f"cannot be read: {error}")]
    if len(source) > LARGEST_TEMPLATE:
        return [Mistake(TEMPLATE, 1, "", f"has more than {LARGEST_TEMPLATE} characters")]
    try:
        return list(_unknown_names(source))
    except TemplateSyntaxError as error:
        return [Mistake(TEMPLATE, error.lineno, "", str(error.message))]
    except SecurityError as error:
        return [Mistake(TEMPLATE, 1, "", str(error.message))]
    except (RecursionError, MemoryError, SyntaxError):
        return [Mistake(TEMPLATE, 1, "", "is nested too deeply")]


def _unknown_names(source: str) -> Iterator[Mistake]:
    sandbox = Sandbox(ALL)
    tree = sandbox.parse_checked(source)
    sandbox.compile(sandbox.parse_checked(source))  # which knows the filters
    unknown = find_undeclared_variables(tree) - {*NAMES, *sandbox.globals}
    for node in tree.find_all(nodes.Name):
        if node.name in unknown and node.ctx == "load":
            problem = f"{node.name} is no name that a review has"
            yield Mistake(TEMPLATE, node.lineno, node.name, problem, did_you_mean(node.name, NAMES) or one_of(NAMES))
