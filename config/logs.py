import logging
import re
from typing import Any

import structlog
from ocpp.exceptions import OCPPError

from infrastructure import correlation
from roaming.ocpi.masking import HIDDEN, mask

# Of an Authorization header, a cookie, or a key of the operator API.
_CREDENTIALS = re.compile(
    r"(\b(?:Token|Basic|Bearer) +|\bplugtill_|\b(?:sessionid|csrftoken)=)(?!\*)[\w+/=.~-]{16,}+", re.IGNORECASE
)
# PostgreSQL repeats the row that broke a rule.
_QUOTED_ROW = re.compile(r"((?:Failing row contains |Key \([^()\n]{1,200}\)=)\()[^\n]*+")
# Data as Python shows them.
_NAMED = re.compile(r"'(?:token|password|secret|uid|contract_id)': '", re.IGNORECASE)

# uvicorn logs this after every handshake that was answered with a status of our own (401, 404): that answer
# goes out through the `websocket.http.response` extension, which its completeness check does not know.
_REFUSED_HANDSHAKE = "ASGI callable returned without completing handshake."


class RefusedHandshakes(logging.Filter):
    """Drops uvicorn's error about refused websocket handshakes; the refusal itself is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.msg != _REFUSED_HANDSHAKE


class BrokenFrames(logging.Filter):
    """What a charger sends and OCPP does not allow is one warning line; the library adds a traceback each time."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, OCPPError):
            record.msg, record.args = "%.300s (%s)", (record.getMessage(), error.code)
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = record.exc_text = None
        return True


class Correlation(logging.Filter):
    """Gives every line `correlation`: " [id]" while an OCPI message is received or sent, else empty.

    Must be a filter of the handler: those of a logger do not see the lines of the loggers below it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        correlation_id = correlation.current()
        record.correlation = f" [{correlation_id}]" if correlation_id else ""
        return True


def redacted(text: str) -> str:
    """A line or a traceback without tokens, passwords, card numbers and the rows that a database quotes.

    The last line of defence: whoever writes a line leaves them out. What libraries and errors of the database tell, and
    what a partner wrote, passes here only.
    """
    text = _QUOTED_ROW.sub(rf"\1{HIDDEN}", _CREDENTIALS.sub(rf"\1{HIDDEN}", text))
    if _NAMED.search(text):
        text = text.replace("'", '"')
    return mask((text,))[0]


class LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def _redact(logger: Any, method: str, line: Any) -> Any:
    return {name: redacted(value) if isinstance(value, str) else value for name, value in line.items()}


def json_formatter() -> logging.Formatter:
    """One JSON object per line: time in UTC, level, logger, message, correlation id and traceback."""
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _redact,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_correlation,
            structlog.processors.EventRenamer("message"),
        ],
    )


def _add_correlation(logger: Any, method: str, line: Any) -> Any:
    if correlation_id := correlation.current():
        line["correlation_id"] = correlation_id
    return line
