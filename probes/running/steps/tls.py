"""`tls`: shakes hands and looks at the certificate. Its name and its chain are checked as for https."""

from probes.http import context_for
from probes.language.kinds import Step
from probes.running.context import tls_options
from probes.running.measured import Measured
from probes.running.run import Run
from probes.running.targets import address, connect


async def perform(step: Step, run: Run, deadline: float) -> Measured:
    """`value` is the end of the certificate, ISO 8601."""
    assert step.tls is not None
    host, port = address(step.tls, run)
    settings = run.journey.tls
    options = None if settings is None else tls_options(settings, run.journey.file.parent)
    run.command = ["openssl", "s_client", "-connect", f"{host}:{port}", "-servername", host]
    channel = await connect(run, (host, port), deadline, context_for(options))
    try:
        expires_at = channel.certificate_expires
        if expires_at is not None:
            run.session.certificates[f"{host}:{port}"] = expires_at
        value = None if expires_at is None else expires_at.isoformat()
        return Measured(value, expires_at=expires_at, protocol=channel.protocol)
    finally:
        channel.close()
