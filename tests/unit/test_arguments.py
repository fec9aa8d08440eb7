"""Uploads from clients, well-formed and malformed."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from chalicelib.api.arguments import MAX_FORM_OVERHEAD_BYTES, MAX_FORM_PARTS, Arguments, read_form
from chalicelib.errors import ServiceError
from chalicelib.images.decoding import MAX_IMAGE_BYTES

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
        read_form(body, content_type)
    return caught.value


class TestForms:
    def test_parts_are_read_by_name(self) -> None:
        body = _form(('name="image_file"; filename="a.jpg"', b"\xff\xd8\r\n\0--b"), ('name="threshold"', b"0.65"))

        assert read_form(body, TYPE) == {"image_file": [b"\xff\xd8\r\n\0--b"], "threshold": [b"0.65"]}

    def test_a_part_may_come_twice(self) -> None:
        assert read_form(_form(('name="x"', b"1"), ('name="x"', b"2")), TYPE) == {"x": [b"1", b"2"]}

    @given(content=st.binary(max_size=300))
    def test_any_bytes_are_returned_unchanged(self, content: bytes) -> None:
        boundary = secrets.token_hex(16)
        body = _form(('name="image_file"; filename="x"', content), boundary=boundary)

        assert read_form(body, f"multipart/form-data; boundary={boundary}") == {"image_file": [content]}

    @pytest.mark.parametrize("name", ["größe.jpg", "照片.jpg", "a\\b.jpg", '\\"', "../../etc/passwd"])
    def test_file_names_are_ignored(self, name: str) -> None:
        assert read_form(_form((f'name="image_file"; filename="{name}"', b"x")), TYPE) == {"image_file": [b"x"]}

    @pytest.mark.parametrize("charset", ["utf-8", "latin-1", "cp1251", "gbk", "shift-jis"])
    def test_file_names_may_be_in_any_charset(self, charset: str) -> None:
        names = {"latin-1": "größe\\.jpg", "cp1251": "лицо.jpg"}
        # The second byte of the last character is a backslash in Shift-JIS.
        name = names.get(charset, "顔の表").encode(charset)
        disposition = b'Content-Disposition: form-data; name="image_file"; filename="%s"' % name

        assert read_form(_part(disposition), TYPE) == {"image_file": [b"picture"]}

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
            assert read_form(_part(headers), TYPE) == {"image_file": [b"picture"]}

    def test_unused_fields_may_be_in_any_charset(self) -> None:
        body = _part(b'Content-Disposition: form-data; name="\xe9"').replace(b"picture", b"\xff")

        assert Arguments({}, {**read_form(body, TYPE), "threshold": [b"1"]}).terms().threshold == 1.0

    @pytest.mark.parametrize(
        "content_type",
        [
            "",
            "application/json",
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
        assert read_form(b"--b--", TYPE) == {}

    def test_too_many_parts_are_refused(self) -> None:
        assert _refused(_form(*[('name="x"', b"1")] * (MAX_FORM_PARTS + 1))).code == "1005"

    def test_unterminated_headers_are_refused(self) -> None:
        assert _refused(_form((f'name="{"x" * 10_000}"', b"1"))).code == "1005"

    def test_a_body_larger_than_the_largest_picture_is_refused(self) -> None:
        error = _refused(bytes(MAX_IMAGE_BYTES + MAX_FORM_OVERHEAD_BYTES + 1))

        assert (error.code, error.status) == ("1004", 413)
        assert error.detail == "the picture may have at most 2097152 bytes"

    def test_the_error_for_a_large_form_names_the_sides_of_its_picture(self) -> None:
        buffer = io.BytesIO()
        Pillow.new("RGB", (8_000, 6_000)).save(buffer, "JPEG")
        file = buffer.getvalue() + bytes(2 * MAX_IMAGE_BYTES)

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
                read_form(body, kind)
            except ServiceError as error:
                assert error.code == "1005"  # noqa: PT017  # both outcomes are right


TOKEN = "aB3" * 8


class TestArguments:
    def test_arguments_come_from_the_query_and_the_form(self) -> None:
        arguments = Arguments({"face_token": [TOKEN]}, {"threshold": [b"0.650"], "image_file": [b"picture"]})

        assert arguments.token() == TOKEN
        assert (arguments.threshold(), arguments.terms().threshold) == ("0.650", 0.65)
        assert arguments.image() == b"picture"

    def test_a_picture_without_a_form_is_1005(self) -> None:
        with pytest.raises(ServiceError) as caught:
            Arguments({"image_file": ["picture"]}).image()
        assert (caught.value.code, caught.value.status) == ("1005", 400)

    @pytest.mark.parametrize("getter", [Arguments.token, Arguments.threshold, Arguments.image])
    @pytest.mark.parametrize(
        "arguments",
        [
            Arguments({}, {}),
            Arguments({"face_token": [""], "threshold": [""]}, {}),
            Arguments({}, {"face_token": [b""], "threshold": [b""], "image_file": [b""]}),
        ],
    )
    def test_a_missing_or_empty_required_argument_is_1002(self, getter: object, arguments: Arguments) -> None:
        with pytest.raises(ServiceError) as caught:
            getter(arguments)  # type: ignore[operator]
        assert (caught.value.code, caught.value.status) == ("1002", 400)

    @pytest.mark.parametrize(
        ("text", "number"),
        [("0", 0.0), ("0.65", 0.65), (".5", 0.5), ("1.", 1.0), ("1e-3", 0.001), ("2E+2", 200.0), ("00.1", 0.1)],
    )
    def test_a_threshold_is_read_as_a_number(self, text: str, number: float) -> None:
        arguments = Arguments({"threshold": [text]})

        assert (arguments.threshold(), arguments.terms().threshold) == (text, number)

    @pytest.mark.parametrize(
        "text",
        [
            "-1",
            "-0.1",
            "nan",
            "inf",
            "Infinity",
            "1e999",
            " 0.65",
            "0.65 ",
            "0,65",
            "0x1",
            "1_0",
            "٠",
            "½",
            ".",
            "e5",
            "0" * 65,
            "0.65\n",
            "--1",
            "1e",
            "abc",
        ],
    )
    def test_a_threshold_that_is_not_a_finite_number_of_at_least_0_is_1001(self, text: str) -> None:
        with pytest.raises(ServiceError) as caught:
            Arguments({"threshold": [text]}).threshold()
        assert (caught.value.code, caught.value.status) == ("1001", 400)

    @pytest.mark.parametrize(
        "text", ["x", "a" * 23, "a" * 25, "a" * 23 + "-", "a" * 23 + "é", "a" * 23 + "\n", "a" * 24 + "\n", "'; DROP--"]
    )
    def test_a_malformed_token_is_1001(self, text: str) -> None:
        with pytest.raises(ServiceError) as caught:
            Arguments({"face_token": [text]}).token()
        assert caught.value.code == "1001"

    @pytest.mark.parametrize(("text", "limit"), [("1", 1), ("10000", 10_000), ("", 10_000), ("007", 7)])
    def test_a_limit_is_read_as_a_whole_number(self, text: str, limit: int) -> None:
        assert Arguments({"threshold": ["1"], "limit": [text]}).terms().limit == limit

    @pytest.mark.parametrize("text", ["0", "10001", "-1", "1.5", "1e3", "x", "9" * 400, "٣"])
    def test_a_limit_out_of_range_is_1001(self, text: str) -> None:
        with pytest.raises(ServiceError) as caught:
            Arguments({"threshold": ["1"], "limit": [text]}).terms()
        assert caught.value.code == "1001"

    @pytest.mark.parametrize("name", ["Ann", "王小明", "🧑‍🚀", "a" * 255, "🙂" * 255, " spaces ", "'; --"])
    def test_a_name_is_returned_unchanged(self, name: str) -> None:
        assert Arguments({"face_name": [name]}).name() == name

    @pytest.mark.parametrize("text", ["", " ", "\t\n", "\N{NO-BREAK SPACE}", "\N{IDEOGRAPHIC SPACE}\N{EM SPACE}"])
    def test_a_name_of_white_space_counts_as_absent(self, text: str) -> None:
        arguments = Arguments({"face_name": [text], "name": [text]})

        assert (arguments.name(), arguments.part()) == ("unknown", "")
        with pytest.raises(ServiceError) as caught:
            arguments.new_name()
        assert caught.value.code == "1002"

    @pytest.mark.parametrize("getter", [Arguments.name, Arguments.new_name])
    @pytest.mark.parametrize(
        ("sent", "name"), [("Jose\u0301", "José"), ("e\u0301" * 255, "é" * 255), ("\u1112\u1161\u11ab", "한")]
    )
    def test_names_are_composed(self, getter: Callable[[Arguments], str], sent: str, name: str) -> None:
        assert getter(Arguments({"face_name": [sent]})) == name
        assert getter(Arguments({}, {"face_name": [sent.encode()]})) == name
        assert Arguments({"name": [sent]}).part() == name

    @pytest.mark.parametrize("query", [{}, {"face_name": [""]}])
    def test_the_default_name_is_used(self, query: dict[str, list[str]]) -> None:
        assert Arguments(query).name() == "unknown"

    @pytest.mark.parametrize(
        "name",
        [
            *("a" * 256, "🙂" * 256, "\ud800", "a\udfff", "Jos\N{REPLACEMENT CHARACTER}"),
            "\N{DEVANAGARI LETTER QA}" * 128,  # two characters each in NFC
            "\u0301\u0327" * 1_000_000,  # Unicode sorts these in quadratic time
        ],
    )
    def test_a_name_that_is_too_long_or_not_text_is_1001(self, name: str) -> None:
        with pytest.raises(ServiceError) as caught:
            Arguments({"face_name": [name]}).name()
        assert caught.value.code == "1001"

    @pytest.mark.parametrize(
        "arguments",
        [
            Arguments({"threshold": ["1", "1"]}),
            Arguments({"threshold": ["1"]}, {"threshold": [b"2"]}),
            Arguments({}, {"threshold": [b"1", b"2"]}),
            Arguments({}, {"threshold": [b"\xff"]}),
        ],
    )
    def test_an_argument_given_twice_or_not_text_is_1001(self, arguments: Arguments) -> None:
        with pytest.raises(ServiceError) as caught:
            arguments.threshold()
        assert caught.value.code == "1001"

    def test_a_picture_given_twice_is_1001(self) -> None:
        with pytest.raises(ServiceError) as caught:
            Arguments({}, {"image_file": [b"1", b"2"]}).image()
        assert caught.value.code == "1001"
