"""TLS contexts, built once for the process: loading the certificate authorities costs more than many probes."""

import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import certifi

from probes.http.errors import TransportError
from probes.result import Reason


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """A journey's `tls` block. Paths are absolute or relative to the working directory; None means not given."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True


DEFAULT = TlsOptions()


def context_for(options: TlsOptions | None = None) -> ssl.SSLContext:
    """The context of these options, from the cache unless one of the files has changed since.

    Raises TransportError (config) for files that cannot be used.
    """
    options = options or DEFAULT
    if options == DEFAULT:
        return _cached(options, ())
    files = [path for path in (options.ca, options.cert, options.key) if path is not None]
    try:
        return _cached(options, tuple(path.stat().st_mtime_ns for path in files))
    except (OSError, ssl.SSLError) as error:
        named = ", ".join(str(path) for path in files)
        raise TransportError(Reason.CONFIG, f"tls: cannot use {named}: {_plain(error)}") from error


@lru_cache(maxsize=64)
def _cached(options: TlsOptions, modified: tuple[int, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.ca)
    if options.ca is None and not _machine_has_authorities():
        context.load_verify_locations(cafile=certifi.where())
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.cert is not None:
        context.load_cert_chain(options.cert, options.key, password=_no_password)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _machine_has_authorities() -> bool:
    paths = ssl.get_default_verify_paths()
    return any(path is not None for path in (paths.cafile, paths.capath))


def _no_password() -> str:
    """Asked for when the key is encrypted; without this, OpenSSL would ask on the terminal."""
    raise OSError("the key is protected by a password; give one that is not")


def _plain(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)


def explain(error: ssl.SSLError) -> str:
    """What went wrong in a handshake, for the user."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message.rstrip('.')}"
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"):
        return "the server does not speak TLS on this port"
    return f"handshake failed: {_plain(error)}"
