"""Our own version. Apart from the package: to look it up takes longer than most commands need for all they import."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("shopwatch")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
