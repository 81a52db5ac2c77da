"""`sql`: one value out of the shop's database, read only, and never longer than the step may take."""

from urllib.parse import unquote, urlsplit

from probes.language.kinds import Step
from probes.result import Reason
from probes.running.databases import postgresql, sqlite
from probes.running.failure import Failed
from probes.running.measured import Measured
from probes.running.run import Run


async def perform(step: Step, run: Run, deadline: float) -> Measured:
    assert step.sql is not None and step.address is not None
    url, statement = run.text(step.address).strip(), run.text(step.sql)
    scheme = url.partition(":")[0].lower()
    if scheme.startswith("sqlite"):
        return await sqlite.ask(step, run, url, statement, deadline)
    if scheme.partition("+")[0] in ("postgresql", "postgres"):
        password = _password(url)
        if password:
            run.secrets.setdefault(password, "PGPASSWORD")
        return await postgresql.ask(step, run, url, statement, deadline)
    raise Failed(Reason.CONFIG, "a database that sql can ask: postgresql or sqlite", f"{scheme[:40]!r}")


def _password(url: str) -> str | None:
    try:
        return unquote(urlsplit(url).password or "") or None
    except ValueError:
        return None
