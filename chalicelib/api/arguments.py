"""Reads the arguments of requests from their addresses and bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self, TypeVar

from chalicelib import errors
from chalicelib.api import bodies, fields
from chalicelib.api.callers import Caller, SetsOf
from chalicelib.api.fields import Field, PictureField
from chalicelib.faces import DEFAULT_NAME, DEFAULT_SET, Terms
from chalicelib.service.comparison import Picture
from chalicelib.telemetry import audit

Value = TypeVar("Value")


class Arguments:
    """The arguments of one request, from its address and, for a POST or PUT, its body (see `bodies.read_body`).

    Every getter raises `ServiceError`: 1002 for a required argument that is absent or empty, 1001 for an argument that
    does not parse, is not UTF-8, is out of range or is given more than once. Getters of face sets and tokens also raise
    what `Caller` does, so that no view can forget it.
    """

    def __init__(self, query: Mapping[str, Sequence[str]], form: Mapping[str, Sequence[bytes]] | None = None) -> None:
        self._query = query
        self._form = form
        self._caller = Caller()
        self._sets_of: SetsOf = lambda _: {}

    def of(self, caller: Caller, sets_of: SetsOf) -> Self:
        """Limit the face sets and tokens to those that a caller may use; return these arguments."""
        self._caller, self._sets_of = caller, sets_of
        return self

    def sees(self, face_set: str) -> bool:
        """Return whether the caller may see a face set."""
        return self._caller.sees(face_set)

    def image(self) -> bytes:
        """Return the picture, a file or base64; raise 1005 when the request has no body."""
        if self._form is None:
            raise bodies.unknown_type()
        picture = self._picture(fields.IMAGE)
        if picture is None:
            raise errors.missing_argument(fields.IMAGE.file, fields.IMAGE.base64)
        return picture.file

    def token(self) -> str:
        return self._touched(self._required(fields.FACE_TOKEN))

    def tokens(self) -> list[str]:
        """Return the distinct tokens of `face_tokens`, in the order sent."""
        texts = self._texts(fields.FACE_TOKENS.name)
        if not any(texts):
            raise errors.missing_argument(fields.FACE_TOKENS.name)
        tokens = list(dict.fromkeys(fields.FACE_TOKENS.parse(texts)))
        audit.touched(tokens)
        if hidden := self._caller.hidden(tokens, self._sets_of):
            raise errors.unknown_tokens(hidden, len(tokens))
        return tokens

    def compared(self, number: int) -> str | Picture:
        """Return face 1 or face 2 of a comparison, a token or a picture."""
        field, token_field = fields.compared_picture(number), fields.token_field(f"face_token{number}")
        picture, token = self._picture(field), self._optional(token_field)
        if picture is not None and token is not None:
            raise _not_both(picture.name, token_field.name)
        if picture is not None:
            return picture
        if token is None:
            raise errors.missing_argument(field.file, field.base64, token_field.name)
        return self._touched(token)

    def threshold(self) -> str:
        """Return the threshold as sent; `terms` returns the number."""
        self._required(fields.THRESHOLD)
        return str(self._text(fields.THRESHOLD.name))

    def terms(self) -> Terms:
        """Return the options of a search, with the default face set."""
        threshold = self._required(fields.THRESHOLD)
        return Terms(threshold, self.limit(), by_person=self._optional(fields.GROUP) == "name")

    def identify_threshold(self) -> float | None:
        """Return the threshold of /identify; None means the model's."""
        return self._optional(fields.THRESHOLD)

    def limit(self) -> int:
        return self._optional(fields.LIMIT) or fields.LIMIT.default

    def name(self) -> str:
        return self._optional(fields.FACE_NAME) or DEFAULT_NAME

    def new_name(self) -> str:
        """Return a face's new `face_name`."""
        return self._required(fields.NEW_NAME)

    def person(self) -> str:
        """Return the name of the person in the address."""
        return self._required(fields.PERSON)

    def part(self) -> str:
        """Return the part of the names to list; empty lists all names."""
        return self._optional(fields.PART) or ""

    def at_start(self) -> bool:
        """Return whether `match` is `start`: names must begin with the part."""
        return self._optional(fields.MATCH) == "start"

    def change(self) -> tuple[str | None, str | None]:
        """Return a person's new name and new cover; one of them may be None."""
        name, cover = self._optional(fields.PERSON_NAME) or None, self._optional(fields.COVER)
        if name is None and cover is None:
            raise errors.missing_argument("name or cover")
        return name, None if cover is None else self._touched(cover)

    def merge(self) -> bool:
        return self._optional(fields.MERGE) == "true"

    def face_set(self) -> str:
        return self._in_set(self._optional(fields.FACE_SET) or DEFAULT_SET)

    def named_face_set(self) -> str:
        """Return the name of the face set to create or delete."""
        return self._in_set(self._required(fields.NEW_FACE_SET))

    def page_limit(self) -> int:
        return self._optional(fields.PAGE_LIMIT) or fields.PAGE_LIMIT.default

    def after(self) -> int:
        """Return the row id that a list's `cursor` encodes; 0 without a cursor."""
        return self.place()[1]

    def place(self) -> tuple[int, int]:
        """Return the row ids of a person and a face that `cursor` encodes, in lists by person; 0 without a cursor."""
        return self._optional(fields.CURSOR) or (0, 0)

    def check(self) -> bool:
        """Return whether the reply to an addition lists similar people."""
        return self._optional(fields.CHECK) == "true"

    def refuse_poor(self) -> bool:
        """Return whether `quality_filter` is `auto`, which refuses poor faces."""
        return self._optional(fields.QUALITY_FILTER) == "auto"

    def _touched(self, token: str) -> str:
        audit.touched([token])
        if self._caller.hidden([token], self._sets_of):
            raise errors.unknown_token()
        return token

    def _in_set(self, name: str) -> str:
        audit.in_face_set(name)
        self._caller.check_face_set(name)
        return name

    def _picture(self, field: PictureField) -> Picture | None:
        file, text = self._file(field.file), self._file(field.base64)
        if file is not None and text is not None:
            raise _not_both(field.file, field.base64)
        if text is not None:
            return Picture(field.base64, field.parse(text))
        return None if file is None else Picture(field.file, file)

    def _file(self, name: str) -> bytes | None:
        files = (self._form or {}).get(name, ())
        if len(files) > 1:
            raise errors.bad_argument(f"{name} is given more than once; one picture is accepted")
        return files[0] or None if files else None

    def _required(self, field: Field[Value]) -> Value:
        value = self._optional(field)
        if value is None or value == "":  # a name of white space only
            raise errors.missing_argument(field.name)
        return value

    def _optional(self, field: Field[Value]) -> Value | None:
        text = self._text(field.name)
        return None if text is None else field.parse(text)

    def _text(self, name: str) -> str | None:
        """Return an argument as sent; None when it is absent or empty."""
        values = self._texts(name)
        if len(values) > 1:
            raise errors.bad_argument(f"{name} is given more than once")
        return values[0] or None if values else None

    def _texts(self, name: str) -> list[str]:
        """Return all values of an argument as sent."""
        try:
            sent = (self._form or {}).get(name, ())
            if bodies.NOT_TEXT in sent:
                raise errors.bad_argument(f"{name} must be text, a number or a boolean")
            values = [*self._query.get(name, ()), *(value.decode("utf-8") for value in sent)]
            "".join(values).encode("utf-8")  # fails at half of a surrogate pair, which JSON allows
        except UnicodeError:
            raise not_utf_8(name) from None
        if any(fields.LOST in value for value in values):
            raise not_utf_8(name)
        return values


def not_utf_8(name: str) -> errors.ServiceError:
    return errors.bad_argument(f"{name} must be UTF-8 text")


def _not_both(one: str, other: str) -> errors.ServiceError:
    return errors.bad_argument(f"send either {one} or {other}, not both")
