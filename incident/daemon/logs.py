"""The daemon's log: on standard error, one JSON object a line, or aligned and coloured where a person is watching."""

import logging
import os
import sys

import structlog


def configure(console: bool | None = None) -> None:
    """`console`: for a person. Default: `$SHOPWATCH_LOG` (`json` or `console`), else whether stderr is a terminal."""
    if console is None:
        chosen = os.environ.get("SHOPWATCH_LOG")
        console = chosen == "console" if chosen else sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper("iso", utc=True),
    ]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    tail: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, renderer]
    if console:
        colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        tail = [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[*shared, *tail],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)  # what the libraries say, in the same shape
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
