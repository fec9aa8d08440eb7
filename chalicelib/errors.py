"""The seven errors of the HTTP contract."""

from __future__ import annotations

from collections.abc import Sequence

# The field `error_msg` of each code, spelt as in the published contract.
MESSAGES = {
    "1001": "BAD_ARGUMENTS",
    "1002": "MISSING_ARGUMENTS",
    "1003": "INTERNAL_ERROR",
    "1004": "FIlE_ERROR",
    "1005": "UPLOAD_ERROR",
    "1006": "FACE_TOKEN_ERROR",
    "1007": "FACE_INFO_ERROR",
}
MOST_NAMED_TOKENS = 10
INTERNAL_DETAIL = "the server failed; the fault is logged under this request's id"


class ServiceError(Exception):
    """A failure reported to the client: a code of the contract, an HTTP status and one sentence.

    `retry_after` is in seconds; None when retrying does not help.
    """

    def __init__(self, code: str, status: int, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(f"{code} {MESSAGES[code]}: {detail}")
        self.code = code
        self.status = status
        self.detail = detail
        self.retry_after = retry_after

    @property
    def refused(self) -> bool:
        """Whether the request was refused and changed nothing; if False, something may have changed."""
        return self.code != "1003"


class StoreUnavailableError(ServiceError):
    """A store cannot be reached or is overloaded; the same call may succeed later."""

    def __init__(self) -> None:
        super().__init__("1003", 503, "a store cannot be reached at the moment; try again", retry_after=2)


class StoreFailedError(ServiceError):
    """A store refused or failed a call, and retrying does not help."""

    def __init__(self) -> None:
        super().__init__("1003", 500, INTERNAL_DETAIL)


def bad_argument(detail: str, *, status: int = 400) -> ServiceError:
    return ServiceError("1001", status, detail)


def missing_argument(*names: str) -> ServiceError:
    """Return the error for an absent argument, or for several when one of them is needed."""
    *others, last = names
    return ServiceError("1002", 400, f"{', '.join(others)}{' or ' if others else ''}{last} is required")


def no_valid_token() -> ServiceError:
    return bad_argument("a valid token is required in the header Authorization: Bearer", status=401)


def unsigned() -> ServiceError:
    return bad_argument("the request must be signed with AWS credentials", status=403)


def may_not(access: str) -> ServiceError:
    return bad_argument(f"the token does not permit to {access}", status=403)


def may_not_use_face_set() -> ServiceError:
    return bad_argument(
        "the token does not permit this face_set; GET /face_sets lists those that it permits", status=403
    )


def internal_error() -> ServiceError:
    return ServiceError("1003", 500, INTERNAL_DETAIL)


def unknown_face_set() -> ServiceError:
    detail = "there is no such face_set; POST /face_sets creates one, GET /face_sets lists all"
    return bad_argument(detail, status=404)


def in_another_face_set() -> ServiceError:
    return bad_argument("the face is in another face set; remove it there, or send that face_set")


def database_starts() -> ServiceError:
    detail = "the database starts after an idle time, in some 15 to 30 seconds; try again"
    return ServiceError("1003", 503, detail, retry_after=15)


def schema_is_behind() -> ServiceError:
    return ServiceError("1003", 503, "the database is about to be migrated; try again", retry_after=5)


def took_too_long() -> ServiceError:
    return ServiceError("1003", 503, "the request took too long, although no store failed; try again", retry_after=2)


def too_busy() -> ServiceError:
    return ServiceError("1003", 503, "the server has too many requests at the moment; try again", retry_after=2)


def migration_under_way() -> ServiceError:
    return ServiceError("1003", 503, "another migration is under way; try again", retry_after=2)


def model_is_changed() -> ServiceError:
    return ServiceError("1003", 503, "the known faces are being moved to another model; try again", retry_after=2)


def model_is_missing() -> ServiceError:
    detail = "the known faces are under a model that this server does not have; its log names the model"
    return ServiceError("1003", 503, detail, retry_after=60)


def index_is_behind() -> ServiceError:
    return ServiceError("1003", 503, "the vector index is too many changes behind; try again", retry_after=2)


def file_error(detail: str, *, status: int = 400) -> ServiceError:
    return ServiceError("1004", status, detail)


def broken_picture() -> ServiceError:
    return file_error("the picture is broken or cut off")


def upload_error(detail: str, *, status: int = 400) -> ServiceError:
    return ServiceError("1005", status, detail)


def slow_upload() -> ServiceError:
    return upload_error("the body did not arrive in time", status=408)


def unknown_token() -> ServiceError:
    return ServiceError("1006", 404, "the face_token is unknown or has expired")


def removed_since() -> ServiceError:
    detail = (
        "the face was removed after it had been added, or its addition was interrupted too long ago; put the picture "
        "under another name to add the face again"
    )
    return ServiceError("1006", 404, detail)


def unknown_tokens(unknown: Sequence[str], given: int) -> ServiceError:
    """Return the error for some of the tokens of one request; it names the first of them."""
    named = ", ".join(unknown[:MOST_NAMED_TOKENS])
    more = f" and {len(unknown) - MOST_NAMED_TOKENS} more" if len(unknown) > MOST_NAMED_TOKENS else ""
    are = "is unknown or has" if len(unknown) == 1 else "are unknown or have"
    return ServiceError("1006", 404, f"{len(unknown)} of {given} face_tokens {are} expired: {named}{more}")


def unknown_person() -> ServiceError:
    return ServiceError("1006", 404, "no face of the face_set has this name; GET /people lists all people")


def another_person() -> ServiceError:
    return bad_argument("another person of the face_set has this name; merge=true makes both one person")


def not_their_face() -> ServiceError:
    return bad_argument("cover must be the face_token of one of the person's faces")


def no_face(smallest_px: int, where: str = "the image") -> ServiceError:
    return ServiceError("1007", 422, f"no face of at least {smallest_px} x {smallest_px} px was found in {where}")


def poor_face(reasons: Sequence[str]) -> ServiceError:
    return ServiceError("1007", 422, f"the face is too poor to be added: {'; '.join(reasons)}")
