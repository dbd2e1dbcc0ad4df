"""One exception per protocol outcome, in both directions."""

from typing import ClassVar


class OcpiError(Exception):
    """An outcome we answer a peer with; the class carries the OCPI and the HTTP status (status_codes)."""

    status_code: ClassVar[int] = 3000
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, data: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class GenericClientError(OcpiError):
    status_code = 2000
    http_status = 200


class InvalidParameters(OcpiError):
    status_code = 2001
    http_status = 200


class NotEnoughInformation(OcpiError):
    status_code = 2002
    http_status = 200


class UnknownLocation(OcpiError):
    status_code = 2003
    http_status = 200


class UnknownToken(OcpiError):
    """Real-time authorization of a token nobody knows: the one 2xxx that SHALL come with HTTP 404."""

    status_code = 2004
    http_status = 404


class Unauthorized(OcpiError):
    status_code = 2001
    http_status = 401


class TooManyGuesses(OcpiError):
    """Tokens that nobody has, one after the other, from one address."""

    status_code = 2001
    http_status = 429


class InvalidJson(OcpiError):
    status_code = 2001
    http_status = 400


class NotFound(OcpiError):
    status_code = 2000
    http_status = 404


class MethodNotAllowed(OcpiError):
    status_code = 2000
    http_status = 405


class ServerError(OcpiError):
    status_code = 3000
    http_status = 500


class Busy(OcpiError):
    """Nothing is wrong; the same request works a moment later."""

    status_code = 3000
    http_status = 503


class UnableToUseApi(OcpiError):
    status_code = 3001
    http_status = 200


class UnsupportedVersion(OcpiError):
    status_code = 3002
    http_status = 200


class NoMatchingEndpoints(OcpiError):
    status_code = 3003
    http_status = 200


class PeerError(Exception):
    """A call to a peer that did not succeed.

    `detail` is a sentence for staff, `permanent` says that repeating the same request cannot help,
    `retry_after` is the pause in seconds the peer asked for.
    """

    def __init__(self, detail: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        # It may quote the peer, and is stored for staff: no database keeps NUL or a lone surrogate.
        self.detail = "".join(
            character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in detail
        )
        super().__init__(self.detail)
        self.permanent = permanent
        self.retry_after = retry_after


class PeerUnreachable(PeerError):
    """No answer: name, connection, certificate or time-out. Always worth another try."""


class PeerGarbage(PeerError):
    """An answer that is not readable OCPI."""


class PeerForbiddenAddress(PeerError):
    """The guard refused the address before any connection was made: `rule` is for whoever gave it to us, `advice`
    besides for staff."""

    def __init__(self, rule: str, advice: str = "") -> None:
        super().__init__(f"{rule} {advice}".rstrip(), permanent=True)
        self.rule = rule


class PeerRefused(PeerError):
    """A readable answer that is not a success; `status_code` is None when it was no OCPI envelope."""

    def __init__(
        self,
        detail: str,
        *,
        http_status: int,
        status_code: int | None = None,
        status_message: str = "",
        data: object = None,
        permanent: bool = True,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail, permanent=permanent, retry_after=retry_after)
        self.http_status = http_status
        self.status_code = status_code
        self.status_message = status_message
        self.data = data
