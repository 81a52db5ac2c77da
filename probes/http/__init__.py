"""HTTP as a prober needs it: phases timed, everything bounded, every failure with its reason."""

from probes.http.body import ACCEPT_ENCODING, MAX_BODY, read_body
from probes.http.errors import TransportError
from probes.http.exchange import Exchange
from probes.http.proxy import ProxyTransport, parse_proxy
from probes.http.resolve import Resolver, SystemResolver
from probes.http.tls import TlsOptions, context_for
from probes.http.transport import Transport

__all__ = [
    "ACCEPT_ENCODING",
    "MAX_BODY",
    "Exchange",
    "ProxyTransport",
    "Resolver",
    "SystemResolver",
    "TlsOptions",
    "Transport",
    "TransportError",
    "context_for",
    "parse_proxy",
    "read_body",
]
