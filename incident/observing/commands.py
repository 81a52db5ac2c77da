"""`shopwatch export`: what other tools should know of Shopwatch, printed to be kept in a file."""

from importlib.resources import files

import click

FILES = {"rules": "prometheus-rules.yml", "dashboard": "grafana-dashboard.json"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def export() -> None:
    """Print what other tools need to watch Shopwatch.

    \b
    Example:
      shopwatch export rules > shopwatch.rules.yml
    """


@export.command()
def rules() -> None:
    """Recording and alert rules for Prometheus.

    \b
    Example:
      shopwatch export rules > /etc/prometheus/shopwatch.rules.yml      and name it under rule_files:
    """
    _print("rules")


@export.command()
def dashboard() -> None:
    """A dashboard for Grafana: Dashboards, New, Import.

    \b
    Example:
      shopwatch export dashboard > shopwatch.json
    """
    _print("dashboard")


def _print(what: str) -> None:
    click.echo((files("incident.observing") / FILES[what]).read_text(encoding="utf-8"), nl=False)
