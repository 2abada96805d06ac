"""Reads the value of an identifier: how it is kept, and whether it can stand for somebody at all.

Apps send what a variable holds when nobody is there: `null`, `0`, `anonymous`. Such a value would make one customer of
all of them. So it stands for nobody, and so does what is no e-mail address or telephone number where one is due.
Reading what was read before changes nothing: where a stored action belongs follows from what is stored.
"""

import re
import unicodedata
from collections.abc import Callable, Collection
from enum import StrEnum
from functools import partial
from typing import NamedTuple


class Normaliser(StrEnum):
    """How two spellings of one value are made alike."""

    EXACT = "exact"  # Unicode's composed form, without white space around it
    FOLDED = "folded"  # and without case
    EMAIL = "email"  # as a mailbox; without case, since no provider parts Ann@ from ann@
    PHONE = "phone"  # E.164, as in +442079460000


class Reading(NamedTuple):
    """The value as it is kept, and whether it can stand for somebody."""

    value: str
    is_somebody: bool


# They stand for nobody, in any kind, in any case: what apps, forms, exports and tests send that have nothing to say.
COMMON = frozenset(
    {
        # what programs print where there is no value
        *("null", "(null)", "<null>", "nil", "<nil>", "none", "undefined", "void", "nan", "inf", "infinity", "\\n"),
        *("optional(nil)", "[object object]", "object", "[]", "{}", "()", "true", "false", "0", "-1", "0.0", "-1.0"),
        # what people, forms and exports write there
        *("n/a", "#n/a", "n.a.", "unknown", "not set", "(not set)", "not provided", "(not provided)", "not available"),
        *("not applicable", "missing", "empty", "blank", "invalid", "default", "deleted", "removed", "redacted"),
        # whom apps call so while nobody is signed in
        *("anonymous", "anon", "guest", "visitor", "nobody", "noone", "no one", "public"),
        # what developers and testers type
        *("test", "tester", "testing", "test user", "testuser", "demo", "dummy", "example", "foo", "bar", "foobar"),
        *("asdf", "qwerty", "xxx", "todo", "tbd", "string", "12345678-1234-1234-1234-123456789012"),
        *("user@example.com", "example@example.com", "email@example.com", "name@example.com", "foo@bar.com"),
        *("a@a.com", "abc@abc.com", "none@none.com", "null@null.com", "no@email.com", "noemail@noemail.com"),
        *("test@test.com", "test@example.com", "anonymous@anonymous.com", "unknown@unknown.com"),
    }
)
# A variable of a template that nobody filled in: {{ user.id }}, ${userId}, %USER_ID%, [[id]], *|EMAIL|*.
_UNFILLED = re.compile(r"\{\{.*\}\}|\$\{.*\}|\[\[.*\]\]|\*\|.*\|\*|%\w+%|%[sd]|<%.*%>")
# What identifiers are written with and say nothing.
_DECORATION = str.maketrans("", "", " -_./:+(){}[]")
# One character all along: the all-zero UUID, 000-00-0000, 99999999, ffffffff-…, ????. Zeros in any number; four equal
# digits may be somebody's number, five hardly.
_REPEATED, _REPEATED_FROM = frozenset("0123456789fx*?#"), 5


def is_common(bare: str) -> bool:
    """Whether a value, as `bare` makes it, stands for nobody whatever its kind."""
    if bare in COMMON or _UNFILLED.fullmatch(bare):
        return True
    kept = bare.translate(_DECORATION)
    if not kept:
        return True
    return kept.strip(kept[0]) == "" and (kept[0] in "0?*#" or (kept[0] in _REPEATED and len(kept) >= _REPEATED_FROM))


def bare(value: str) -> str:
    """The value as blocked values are compared: without case, and without quotation marks and white space around."""
    return exact(value).strip("'\"` ").casefold()


def exact(value: str) -> str:
    """The value as it came, in Unicode's composed form, without white space around it."""
    return unicodedata.normalize("NFC", value).strip()


def folded(value: str) -> str:
    """Without case: two spellings of one login are one."""
    return exact(value).casefold()


def email(value: str) -> str | None:
    """A mailbox, without case; None for what is none. Nobody is asked whether it exists."""
    # Not at the top: it takes a fifteenth of a second to import, which `--help` need not wait for.
    from email_validator import EmailNotValidError, validate_email

    try:
        # Not casefold, which makes one of straße.de and strasse.de: those are two domains.
        return validate_email(exact(value), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


def phone(value: str, region: str | None = None) -> str | None:
    """A telephone number in E.164; None for what is none, or has no country code where there is no region.

    Its length must be possible in its country. Whether the number is in service is not asked: libraries learn of new
    ranges years late. With an extension it is a switchboard's, behind which there are many.
    """
    import phonenumbers
    from phonenumbers import PhoneNumberFormat, ValidationResult

    text = exact(value).removeprefix("tel:")
    if any(character.isalpha() for character in text):
        return None  # it would be read as keys: `call me` as 225563
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _normalise(normaliser: Normaliser, region: str | None) -> Callable[[str], str | None]:
    readers: dict[Normaliser, Callable[[str], str | None]] = {
        Normaliser.EXACT: exact,
        Normaliser.FOLDED: folded,
        Normaliser.EMAIL: email,
        Normaliser.PHONE: partial(phone, region=region),
    }
    return readers[normaliser]


class Values:
    """Reads the values of one kind."""

    def __init__(
        self,
        normaliser: Normaliser = Normaliser.EXACT,
        region: str | None = None,
        blocked: Collection[str] = (),
        blocked_patterns: Collection[str] = (),
        allowed: Collection[str] = (),
    ) -> None:
        self._normalise = _normalise(normaliser, region)
        self._blocked = {bare(form) for value in blocked for form in (value, self._normalise(value) or value)}
        self._patterns = [re.compile(pattern, re.IGNORECASE) for pattern in blocked_patterns]
        self._allowed = {bare(value) for value in allowed}

    def read(self, value: str) -> Reading:
        """What stands for nobody is kept as it came but for white space: it can be a claim only."""
        normal = self._normalise(value)
        if normal is None or self._is_blocked(normal):
            return Reading(exact(value), is_somebody=False)
        # Most come as they are kept: that saves to look twice.
        if normal != value and (self._is_blocked(value) or self._normalise(normal) != normal):
            return Reading(exact(value), is_somebody=False)
        return Reading(normal, is_somebody=True)

    def _is_blocked(self, value: str) -> bool:
        seen = bare(value)
        if seen in self._allowed:
            return False
        if seen in self._blocked or any(pattern.fullmatch(seen) for pattern in self._patterns):
            return True
        return is_common(seen)
