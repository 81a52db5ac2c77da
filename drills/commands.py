"""The commands of this package, as `cli.py` finds them."""

from drills.check_commands import check, schema

__all__ = ["check", "schema"]
