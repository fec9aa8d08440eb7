"""Bodies of requests, well-formed and malformed."""

from __future__ import annotations

import base64
import io
import json
import secrets
import tracemalloc
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from chalicelib.api.arguments import Arguments
from chalicelib.api.bodies import MAX_FORM_PARTS, NOT_TEXT, UNESCAPED_AT_ONCE, read_body
from chalicelib.errors import ServiceError
from chalicelib.settings import CONTRACT_IMAGE_BYTES, current_settings

TYPE = "multipart/form-data; boundary=b"


def _form(*parts: tuple[str, bytes], boundary: str = "b") -> bytes:
    """Build a form from parts: (the rest of the part's header after `form-data; `, content)."""
    lines = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {header}\r\n\r\n".encode() + content + b"\r\n"
        for header, content in parts
    )
    return lines + f"--{boundary}--\r\n".encode()


def _part(headers: bytes) -> bytes:
    return b"--b\r\n" + headers + b"\r\n\r\npicture\r\n--b--\r\n"


def _refused(body: bytes, content_type: str = TYPE) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        read_body(body, content_type)
    return caught.value


class TestForms:
    def test_parts_are_read_by_name(self) -> None:
        body = _form(('name="image_file"; filename="a.jpg"', b"\xff\xd8\r\n\0--b"), ('name="threshold"', b"0.65"))

        assert read_body(body, TYPE) == {"image_file": [b"\xff\xd8\r\n\0--b"], "threshold": [b"0.65"]}

    def test_a_part_may_come_twice(self) -> None:
        assert read_body(_form(('name="x"', b"1"), ('name="x"', b"2")), TYPE) == {"x": [b"1", b"2"]}

    @given(content=st.binary(max_size=300))
    def test_any_bytes_are_returned_unchanged(self, content: bytes) -> None:
        boundary = secrets.token_hex(16)
        body = _form(('name="image_file"; filename="x"', content), boundary=boundary)

        assert read_body(body, f"multipart/form-data; boundary={boundary}") == {"image_file": [content]}

    @pytest.mark.parametrize("name", ["größe.jpg", "照片.jpg", "a\\b.jpg", '\\"', "../../etc/passwd"])
    def test_file_names_are_ignored(self, name: str) -> None:
        assert read_body(_form((f'name="image_file"; filename="{name}"', b"x")), TYPE) == {"image_file": [b"x"]}

    @pytest.mark.parametrize("charset", ["utf-8", "latin-1", "cp1251", "gbk", "shift-jis"])
    def test_file_names_may_be_in_any_charset(self, charset: str) -> None:
        names = {"latin-1": "größe\\.jpg", "cp1251": "лицо.jpg"}
        # The second byte of the last character is a backslash in Shift-JIS.
        name = names.get(charset, "顔の表").encode(charset)
        disposition = b'Content-Disposition: form-data; name="image_file"; filename="%s"' % name

        assert read_body(_part(disposition), TYPE) == {"image_file": [b"picture"]}

    @pytest.mark.parametrize(
        "header",
        [
            *(b"Content-Length: 3", b"Content-Length: none", b"Content-Length: 99999999999", b"Content-Length: -1"),
            *(b"Content-Type: ", b"Content-Type: image/\xff", b"Content-Type: text/plain; charset=no-such"),
            *(b"Content-Transfer-Encoding: 8bit", b"X.Y: dot", b"X-\xe9: Latin-1", b"X: \x00", b"no colon"),
            *(b"X: " + b"a" * 10_000, b"X: first line\r\n second line", b"\r\n".join([b"X: many"] * 100)),
        ],
    )
    def test_other_headers_of_a_part_are_ignored(self, header: bytes) -> None:
        disposition = b'Content-Disposition: form-data; name="image_file"; filename="x"'

        for headers in (disposition + b"\r\n" + header, header + b"\r\n" + disposition):
            assert read_body(_part(headers), TYPE) == {"image_file": [b"picture"]}

    def test_unused_fields_may_be_in_any_charset(self) -> None:
        body = _part(b'Content-Disposition: form-data; name="\xe9"').replace(b"picture", b"\xff")

        assert Arguments({}, {**read_body(body, TYPE), "threshold": [b"1"]}).terms().threshold == 1.0

    @pytest.mark.parametrize(
        "content_type",
        [
            "",
            "application/xml",
            "text/plain; boundary=b",
            "multipart/mixed; boundary=b",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=" + "b" * 201,
            "multipart/form-data; boundary=größe",
        ],
    )
    def test_other_content_types_are_refused(self, content_type: str) -> None:
        error = _refused(_form(('name="x"', b"1")), content_type)

        assert (error.code, error.status) == ("1005", 400)

    def test_a_form_truncated_anywhere_is_refused(self) -> None:
        body = _form(('name="image_file"; filename="a.jpg"', b"0123456789"), ('name="threshold"', b"0.65"))

        for length in range(len(body) - len("--\r\n")):
            assert _refused(body[:length]).code == "1005"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"hello",
            b"--b",
            b"--c\r\n\r\n--c--\r\n",
            b"--b\r\n\r\nno header\r\n--b--\r\n",
            b"--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n",
            b"--b\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--b--\r\n",
            b"--b\r\nContent-Disposition form-data; name=x\r\n\r\nno colon\r\n--b--\r\n",
        ],
    )
    def test_a_malformed_form_is_refused(self, body: bytes) -> None:
        assert _refused(body).code == "1005"

    def test_a_form_without_parts_has_none(self) -> None:
        assert read_body(b"--b--", TYPE) == {}

    def test_too_many_parts_are_refused(self) -> None:
        assert _refused(_form(*[('name="x"', b"1")] * (MAX_FORM_PARTS + 1))).code == "1005"

    def test_a_list_may_have_a_part_for_each_value(self) -> None:
        parts = [('name="x"', b"1")] * (MAX_FORM_PARTS + 100)

        assert len(read_body(_form(*parts), TYPE, listed=100)["x"]) == MAX_FORM_PARTS + 100
        with pytest.raises(ServiceError, match=f"the form has more than {MAX_FORM_PARTS + 100} parts"):
            read_body(_form(*parts, parts[0]), TYPE, listed=100)

    def test_unterminated_headers_are_refused(self) -> None:
        assert _refused(_form((f'name="{"x" * 10_000}"', b"1"))).code == "1005"

    def test_a_body_larger_than_the_largest_picture_is_refused(self) -> None:
        error = _refused(bytes(2 * CONTRACT_IMAGE_BYTES))

        assert (error.code, error.status) == ("1004", 413)
        assert error.detail == "the picture may have at most 2097152 bytes"

    def test_the_error_for_a_large_form_names_the_sides_of_its_picture(self) -> None:
        buffer = io.BytesIO()
        Pillow.new("RGB", (8_000, 6_000)).save(buffer, "JPEG")
        file = buffer.getvalue() + bytes(2 * CONTRACT_IMAGE_BYTES)

        error = _refused(_form(('name="threshold"', b"0.65"), ('name="image_file"; filename="a.jpg"', file)))

        assert (error.code, error.status) == ("1004", 413)
        assert error.detail == (
            "the picture may have at most 2097152 bytes, and its sides must be 48 to 4096 px; "
            f"it has {len(file)} bytes and is 8000 x 6000"
        )

    @given(body=st.binary(max_size=500), content_type=st.text(max_size=60))
    def test_any_input_is_read_or_refused(self, body: bytes, content_type: str) -> None:
        for kind in (content_type, TYPE):
            try:
                read_body(body, kind)
            except ServiceError as error:
                assert error.code == "1005"  # noqa: PT017  # both outcomes are right


FORM = "application/x-www-form-urlencoded"


class TestUrlEncodedForms:
    def test_fields_are_read_by_name(self) -> None:
        body = b"face_name=J%6Fs%C3%A9+B&image_base64=a%2Bb%2f%3D&x&=y&x=1&face%5fname=&%zz=%z"

        assert read_body(body, FORM) == {
            "face_name": ["Jos\N{LATIN SMALL LETTER E WITH ACUTE} B".encode(), b""],
            "image_base64": [b"a+b/="],
            "x": [b"", b"1"],
            "": [b"y"],
            "%zz": [b"%z"],
        }

    @pytest.mark.parametrize("shift", range(4))
    @pytest.mark.parametrize("repeated", [b"%41", b"%%41%4", b"%", b"a%", b"ab%4x%2b"])
    def test_long_values_are_unescaped_piece_by_piece(self, repeated: bytes, shift: int) -> None:
        value = b"a" * shift + repeated * (3 * UNESCAPED_AT_ONCE // len(repeated))

        assert read_body(b"x=" + value, FORM) == {"x": [unquote_to_bytes(value)]}

    def test_too_many_fields_are_refused(self) -> None:
        assert len(read_body(b"&".join([b"x=1"] * MAX_FORM_PARTS), FORM)["x"]) == MAX_FORM_PARTS
        assert _refused(b"&".join([b"x=1"] * (MAX_FORM_PARTS + 1)), FORM).code == "1005"

    def test_a_list_may_have_a_field_for_each_value(self) -> None:
        fields = [b"x=1"] * (MAX_FORM_PARTS + 100)

        assert len(read_body(b"&".join(fields), FORM, listed=100)["x"]) == MAX_FORM_PARTS + 100
        with pytest.raises(ServiceError, match=f"the form has more than {MAX_FORM_PARTS + 100} fields"):
            read_body(b"&".join([*fields, b"x=1"]), FORM, listed=100)

    @given(fields=st.dictionaries(st.text(st.characters(codec="latin-1")), st.binary(max_size=50), max_size=10))
    def test_any_bytes_are_returned_unchanged(self, fields: dict[str, bytes]) -> None:
        body = "&".join(f"{quote(name, encoding='latin-1')}={quote(value)}" for name, value in fields.items() if name)

        assert read_body(body.encode(), FORM).get("", [b""]) == [b""]
        for name, value in fields.items():
            assert not name or read_body(body.encode(), FORM)[name] == [value]


JSON = "application/json"


class TestJson:
    def test_members_become_text(self) -> None:
        body = (
            rb'{"threshold": 0.650, "limit": 10, "exponent": -1E+2, "yes": true, "no": false, "nothing": null, '
            rb'"face_name": "Zo\u00eb\n", "list": ["a", 1, null, true], "empty": []}'
        )

        assert read_body(body, f"{JSON}; charset=UTF-8") == {
            "threshold": [b"0.650"],
            "limit": [b"10"],
            "exponent": [b"-1E+2"],
            "yes": [b"true"],
            "no": [b"false"],
            "nothing": [],
            "face_name": ["Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}\n".encode()],
            "list": [b"a", b"1", b"true"],
            "empty": [],
        }

    def test_a_name_that_comes_twice_has_both_values(self) -> None:
        assert read_body(b'{"x": 1, "x": "2", "\\u0078": null}', JSON) == {"x": [b"1", b"2"]}

    @pytest.mark.parametrize("value", [b"{}", b'{"a": "b"}', b"[[]]", b'["a", {}]', b'[["a"]]'])
    def test_nested_values_are_marked(self, value: bytes) -> None:
        assert NOT_TEXT in read_body(b'{"x": %b, "y": "z"}' % value, JSON)["x"]

    def test_an_argument_may_have_digits_without_end(self) -> None:
        digits = b"9" * 1_000_000

        assert read_body(b'{"threshold": %b, "limit": -%b.5e9%b}' % (digits, digits, digits), JSON)["threshold"] == [
            digits
        ]

    @pytest.mark.parametrize(
        "body",
        [
            *(b"{", b"}", b'{"a": 1', b'{"a" 1}', b"{'a': 1}", b'{"a": 1,}', b'{"a": 1} {}', b'{"a": "\n"}'),
            *(b'{"a": "\\x"}', b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 01}', b'{"a": .5}', b'{"a": +1}'),
            *(b'{"a": tru}', b"\0", b"//", b"[]", b'"text"', b"5", b"null", b"true", b'\xef\xbb\xbf{"a": 1}'),
            *(b'{"a": "\xff"}', b'{"\xed\xa0\x80": 1}'),
            *('{"a": 1}'.encode("utf-16"), '{"a": 1}'.encode("utf-16-be"), '{"a": 1}'.encode("utf-32")),
            *(b"[" * 3_000_000, b'{"a":' * 500_000, b'{"a": [' + b"0," * 1_000_000 + b"0]}"),
        ],
        ids=lambda body: repr(body[:16]),
    )
    def test_other_json_is_refused(self, body: bytes) -> None:
        assert (_refused(body, JSON).code, _refused(body, JSON).status) == ("1005", 400)

    @pytest.mark.parametrize("charset", ["latin-1", "utf-16", "utf-7", "no-such"])
    def test_another_charset_is_refused(self, charset: str) -> None:
        assert _refused(b"{}", f"{JSON}; charset={charset}").detail == "the JSON must be UTF-8"

    def test_half_of_a_surrogate_pair_is_not_utf_8(self) -> None:
        [value] = read_body(b'{"face_name": "\\ud800"}', JSON)["face_name"]

        with pytest.raises(UnicodeDecodeError):
            value.decode("utf-8")

    @given(body=st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
    def test_any_input_is_read_or_refused(self, body: bytes) -> None:
        for kind in (JSON, FORM):
            try:
                read_body(body, kind)
            except ServiceError as error:
                assert error.code == "1005"  # noqa: PT017  # both outcomes are right


class TestSizes:
    @pytest.mark.parametrize(
        ("kind", "begin", "end"),
        [(JSON, b'{"image_base64": "', b'"}'), (FORM, b"image_base64=", b""), (TYPE, b"", b"")],
    )
    def test_two_pictures_may_have_what_lambda_carries(self, kind: str, begin: bytes, end: bytes) -> None:
        most = 4_669_440 if kind == TYPE else 6_225_920

        def body(size: int) -> bytes:
            if kind == TYPE:
                empty = _form(('name="image_base64"', b""))
                return _form(('name="image_base64"', bytes(size - len(empty))))
            return begin + b"A" * (size - len(begin) - len(end)) + end

        assert len(body(most)) == most
        assert "image_base64" in read_body(body(most), kind, pictures=2)
        with pytest.raises(ServiceError) as caught:
            read_body(body(most + 1), kind, pictures=2)
        assert (caught.value.code, caught.value.status) == ("1004", 413)
        assert caught.value.detail == (
            f"a {kind.partition(';')[0]} body may have at most {most} bytes, and each picture 2097152"
        )

    @pytest.mark.parametrize(("kind", "size"), [(JSON, 4_400_000), (FORM, 4_400_000), (TYPE, 3_500_000)])
    def test_the_largest_picture_that_a_setting_allows_in_base64(
        self, monkeypatch: pytest.MonkeyPatch, kind: str, size: int
    ) -> None:
        monkeypatch.setenv("MAX_IMAGE_BYTES", "4400000")
        current_settings.cache_clear()
        text = base64.urlsafe_b64encode(bytes(size))
        body = {
            JSON: b'{"image_base64": "%b"}' % text,
            FORM: b"image_base64=" + text,
            TYPE: _form(('name="image_base64"', text)),
        }[kind]
        try:
            assert read_body(body, kind) == {"image_base64": [text]}
            largest = _form(('name="image_file"', bytes(4_400_000)))
            # An event of 6 MB also has 64 KiB for headers and the address.
            assert len(base64.b64encode(largest)) < 6 * 1024 * 1024 - 64 * 1024
            assert len(read_body(largest, TYPE)["image_file"][0]) == 4_400_000
        finally:
            current_settings.cache_clear()

    @pytest.mark.parametrize("kind", [JSON, FORM])
    def test_one_picture_may_have_its_bytes_in_base64(self, kind: str) -> None:
        text = base64.encodebytes(bytes(CONTRACT_IMAGE_BYTES))
        as_json, as_form = json.dumps({"image_base64": text.decode()}), f"image_base64={quote(text)}"

        assert read_body((as_json if kind == JSON else as_form).encode(), kind) == {"image_base64": [text]}
        assert _refused(b'{"x": "%b"}' % bytes(CONTRACT_IMAGE_BYTES * 2), kind).status == 413

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            (JSON, b'{"x": "' + b"\\u00e9" * 1_000_000 + b'"}'),
            (JSON, b'{"x": [' + b'"",' * 4_000 + b'""]}'),
            (JSON, b'{"image_base64": "' + b"A" * 6_000_000 + b'"}'),
            (FORM, b"x=" + b"%41" * 500_000),
            (FORM, b"image_base64=" + b"A" * 6_000_000),
        ],
    )
    def test_memory_is_bounded(self, kind: str, body: bytes) -> None:
        tracemalloc.start()
        try:
            read_body(body, kind, pictures=2)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 5 * len(body) + 6_000_000
