"""Templates of people who mean harm: each is refused in good time, and takes nothing with it."""

import asyncio
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from incident.errors import Refused
from incident.reviews.apart import Renderer, rendered

pytestmark = pytest.mark.anyio

GIVEN: dict[str, Any] = {"incident": {"title": "x" * 500, "timeline": [{"text": "y"}] * 50}, "sections": {}}
DEEP = 2000
HOSTILE = {
    "a loop": "{% for a in range(10**9) %}{% endfor %}",
    "loops in loops": "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
    "a long text": "{{ 'a' * 10**10 }}",
    "a long text by a variable": "{% set n = 10**9 %}{{ 'ab' * n }}",
    "a text that doubles": "{% set a = 'x' * 100000 %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
    "the same long text again and again": "{% set a = 'x' * 1000000 %}{% for i in range(10000) %}{{ a }}{% endfor %}",
    "many long texts at once": "{{ range(100000) | map('format', 'x' * 1000000) | list }}",
    "many long texts in a list": "{% set a = 'x' * 1000000 %}{{ [" + ", ".join(["a ~ 1"] * 300) + "] | length }}",
    "texts by a filter": "{% set a = ['x' * 9000] * 90000 %}{{ a | map('upper') | map('title') | list | join }}",
    "a sum of lists": "{% set a = range(100000) | list %}{{ [a, a, a, a] | sum(start=[]) | length }}",
    "a list of lists": "{% set a = [1] * 1000 %}" + "{% set a = [a] * 1000 %}" * 8 + "{{ a }}",
    "a large number": "{{ 10 ** 10 ** 10 ** 10 }}",
    "a large product": "{% set a = 10 ** 500 %}" + "{% set a = a * a %}" * 60 + "{{ a }}",
    "a wide format": "{{ '%999999999s' | format('x') }}",
    "a wide replacement": "{{ ('a' * 1000) | replace('a', 'b' * 100000) }}",
    "a deep expression": "{{ " + "(" * DEEP + "1" + ")" * DEEP + " }}",
    "a deep list": "{{ " + "[" * 150 + "]" * 150 + " }}",
    "a deep condition": "{% if 1 %}" * DEEP + "{% endif %}" * DEEP,
    "deep loops": "{% for a in [1] %}" * 50 + "{% endfor %}" * 50,
    "a long chain": "{{ " + "not " * DEEP + "1 }}",
    "a recursive loop": "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "a class by attr": "{{ '' | attr('__class__') }}",
    "a class by map": "{{ [''] | map(attribute='__class__') | list }}",
    "a class by groupby": "{{ [''] | groupby('__class__') }}",
    "a class by sum": "{{ [''] | sum('__class__') }}",
    "a class by sort": "{{ ['', ''] | sort(attribute='__class__.__base__') }}",
    "a class by format": "{{ '{0.__class__}'.format('') }}",
    "a class by format_map": "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "a function's globals": "{{ range.__globals__ }}",
    "the loop's environment": "{% for a in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "the context": "{{ self._TemplateReference__context }}",
    "the environment": "{{ environment }}",
    "a module": "{% import 'os' as os %}{{ os }}",
    "a file": "{% include '/etc/passwd' %}",
    "xmlattr": "{{ {'a': 'b'} | xmlattr }}",
    "an unknown filter": "{{ 1 | filesizeformat }}",
}  # fmt: skip


@pytest.mark.by_the_clock
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_is_refused(name: str) -> None:
    """Here in our own process, whose memory is bounded for the while: most need no other."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    began = time.thread_time()
    resource.setrlimit(resource.RLIMIT_AS, (size + (512 << 20), before[1]))
    try:
        with pytest.raises(Refused) as refused:
            rendered(HOSTILE[name], GIVEN)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.thread_time() - began < 2
    assert len(str(refused.value)) < 1000


async def test_what_the_sandbox_cannot_bound_ends_with_its_process() -> None:
    renderer = Renderer()
    with pytest.raises(Refused, match="the template of the review"):
        await renderer.render(HOSTILE["many long texts in a list"], GIVEN)
    assert await renderer.render("{{ incident.timeline | length }}", GIVEN) == "50"


@pytest.mark.parametrize("what", ["time", "memory"])
def test_a_renderer_that_goes_beyond_its_bounds_is_ended_by_the_kernel(what: str) -> None:
    burn = "while True: pass" if what == "time" else "x = [bytes(1 << 20) for _ in range(1000)]"
    code = f"import incident.reviews.apart as apart\ndef burn(*_):\n    {burn}\napart.rendered = burn\napart.main()"
    job = json.dumps({"source": "", "given": {}})
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code], input=job, text=True, capture_output=True, timeout=60, check=False
    )
    assert (ended.returncode != 0, ended.stdout) == (True, "")


async def test_a_renderer_does_not_see_what_the_daemon_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    seen: list[Any] = []
    real = asyncio.create_subprocess_exec

    async def watched(*command: str, **keys: Any) -> Any:
        seen.append(keys["env"])
        return await real(*command, **keys)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", watched)
    assert await Renderer().render("{{ incident.title }}", {"incident": {"title": "é支"}}) == "é支"
    assert len(seen) == 1 and "SHOP_PASSWORD" not in seen[0]
