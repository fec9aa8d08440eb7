"""The arguments of a request, from its address and its body."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from chalicelib.api.arguments import Arguments
from chalicelib.api.bodies import NOT_TEXT
from chalicelib.errors import ServiceError

TOKEN = "aB3" * 8


class TestArguments:
    def test_arguments_come_from_the_query_and_the_form(self) -> None:
        arguments = Arguments({"face_token": [TOKEN]}, {"threshold": [b"0.650"], "image_file": [b"picture"]})

        assert arguments.token() == TOKEN
        assert (arguments.threshold(), arguments.terms().threshold) == ("0.650", 0.65)
        assert arguments.image() == b"picture"

    @pytest.mark.parametrize("name", ["image_file", "image_base64"])
    def test_a_picture_in_the_query_is_1005(self, name: str) -> None:
        with pytest.raises(ServiceError) as caught:
            Arguments({name: ["picture"]}).image()
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


PICTURE = b"\xff\xd8\xff\xe0 a picture \xfb\xff"
BASE64 = base64.b64encode(PICTURE)


class TestBase64:
    @pytest.mark.parametrize(
        "text",
        [
            BASE64,
            base64.urlsafe_b64encode(PICTURE),
            BASE64.rstrip(b"="),
            b"\r\n".join((b"", BASE64[:4], BASE64[4:], b"")),
            base64.encodebytes(PICTURE),
            b"data:image/jpeg;base64," + BASE64,
            b"DATA:;charset=x;Base64," + base64.urlsafe_b64encode(PICTURE),
        ],
    )
    def test_a_picture_is_read_from_base64(self, text: bytes) -> None:
        assert Arguments({}, {"image_base64": [text]}).image() == PICTURE
        assert Arguments({}, {"image_base64_2": [text]}).compared(2) == ("image_base64_2", PICTURE)

    @pytest.mark.parametrize("length", range(1, 8))
    def test_padding_may_be_missing(self, length: int) -> None:
        text = base64.b64encode(PICTURE[:length])

        for padding in range(3):
            if not text[len(text) - padding :].strip(b"="):
                assert Arguments({}, {"image_base64": [text[: len(text) - padding]]}).image() == PICTURE[:length]

    @pytest.mark.parametrize(
        "text",
        [
            *(b"A", b"AAAAA", b"=", b"====", b"QQ===", b"QQ==QQ==", b"Q=Q=", b"=QQ=", b"QQ.=", b"\xff\xd8\xff", b"\0"),
            *(
                BASE64.replace(b"+", b" "),
                BASE64 + b" ",
                BASE64 + b"\t",
                BASE64 + "\N{FULLWIDTH DIGIT ONE}".encode(),
            ),
            *(b"data:image/png," + BASE64, b"data:" + b"x" * 101 + b";base64," + BASE64, b" data:;base64," + BASE64),
            *(b"http://example.com/a.jpg", NOT_TEXT),
        ],
    )
    def test_other_text_is_1001(self, text: bytes) -> None:
        for name, getter in (("image_base64", Arguments.image), ("image_base64_1", lambda given: given.compared(1))):
            with pytest.raises(ServiceError) as caught:
                getter(Arguments({}, {name: [text]}))
            assert (caught.value.code, caught.value.detail) == (
                "1001",
                f"{name} must be a file in base64, without spaces",
            )

    @pytest.mark.parametrize(
        ("form", "detail"),
        [
            ({"image_file": [b"x"], "image_base64": [BASE64]}, "send either image_file or image_base64, not both"),
            (
                {"image_file": [b"x"], "image_base64": [b"no base64"]},
                "send either image_file or image_base64, not both",
            ),
            ({"image_base64": [BASE64] * 2}, "image_base64 is given more than once; one picture is accepted"),
            ({"image_base64": [BASE64, b""]}, "image_base64 is given more than once; one picture is accepted"),
        ],
    )
    def test_a_picture_comes_once(self, form: dict[str, list[bytes]], detail: str) -> None:
        with pytest.raises(ServiceError) as caught:
            Arguments({}, form).image()
        assert (caught.value.code, caught.value.detail) == ("1001", detail)

    @pytest.mark.parametrize("form", [{}, {"image_base64": []}, {"image_base64": [b""], "image_file": [b""]}])
    def test_the_error_for_no_picture_names_both_arguments(self, form: dict[str, list[bytes]]) -> None:
        with pytest.raises(ServiceError) as caught:
            Arguments({}, form).image()
        assert (caught.value.code, caught.value.detail) == ("1002", "image_file or image_base64 is required")

    def test_a_json_object_is_not_an_argument(self) -> None:
        with pytest.raises(ServiceError) as caught:
            Arguments({}, {"face_name": [NOT_TEXT]}).name()
        assert (caught.value.code, caught.value.detail) == ("1001", "face_name must be text, a number or a boolean")
