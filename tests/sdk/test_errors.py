"""The error tree."""

import steadylight
from steadylight import SteadylightError
from steadylight import _errors as errors


def test_each_code_has_its_class() -> None:
    codes = {
        "NOT_FOUND": steadylight.NotFound,
        "CONFLICT": steadylight.Conflict,
        "INVALID": steadylight.Invalid,
        "UNAUTHENTICATED": steadylight.Unauthenticated,
        "FORBIDDEN": steadylight.Forbidden,
        "RATE_LIMITED": steadylight.RateLimited,
        "TOO_COMPLEX": steadylight.TooComplex,
        "UNAVAILABLE": steadylight.Unavailable,
        "INTERNAL": steadylight.Internal,
    }

    assert {code: errors.of_code(code) for code in codes} == codes
    assert {code: kind("x").code for code, kind in codes.items()} == {code: code for code in codes}


def test_a_code_of_a_newer_server_is_the_base_with_that_code() -> None:
    error = errors.of_code("GONE")("It went.", code="GONE")

    assert type(error) is SteadylightError
    assert error.code == "GONE"


def test_the_module_draws_every_class() -> None:
    classes = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and kind.__module__ == errors.__name__
    }

    assert {line.split()[0] for line in (errors.__doc__ or "").splitlines()[2:] if line} == classes


def test_the_request_id_is_in_the_text() -> None:
    assert str(SteadylightError("Broken.", request_id="r-1")) == "Broken. (request r-1)"
    assert str(SteadylightError("Broken.")) == "Broken."
