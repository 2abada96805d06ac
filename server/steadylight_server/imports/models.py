"""What a map may say: which columns of a file are what. `schema/import.schema.json` is made of this."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from steadylight_server.access.models import ChannelName
from steadylight_server.core import document
from steadylight_server.core.errors import Invalid
from steadylight_server.identity.models import MOST_IDENTIFIERS
from steadylight_server.ingest.models import MOST_TRAITS, AssuranceName, KindName, TraitName

TraitType = Literal["text", "integer", "number", "boolean", "date"]
Column = Annotated[str, StringConstraints(min_length=1, max_length=256)]

_COLUMN = {"type": "string", "minLength": 1, "maxLength": 256}
_COLUMNS = {"type": "array", "items": _COLUMN, "minItems": 1, "maxItems": 10}
_TRAIT = {
    "type": "object",
    "properties": {
        "column": {"description": "The column that says it.", **_COLUMN},
        "type": {
            "description": "What it is. A row where it is something else is refused. Left out: text in a CSV file, "
            "as it stands in JSON lines.",
            "enum": ["text", "integer", "number", "boolean", "date"],
        },
    },
    "required": ["column"],
    "additionalProperties": False,
}
_NAME_RULE = "a name has 1 to 50 lower-case letters, digits and hyphens, a letter first"
_source = TypeAdapter(ChannelName)
_NAME = r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$"


def _listed(given: object) -> object:
    """One column is a list of one."""
    return [given] if isinstance(given, str) else given


def _named(given: object) -> object:
    """A list of columns, each of which is the trait's name as well; and `name: column` in short."""
    if isinstance(given, list):
        if twice := next((one for one in given if given.count(one) > 1), None):
            raise ValueError(f"{twice} is here twice")
        given = {column: column for column in given}
    if not isinstance(given, dict):
        return given
    return {name: {"column": said} if isinstance(said, str) else said for name, said in given.items()}


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MappedIdentifier(_Closed):
    """An identifier of the customer whom a row is about: of one column, or of several together."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["column"]}, {"required": ["columns"]}]})

    kind: KindName = Field(description="Which kind of identifier it is, such as email.")
    column: Column | None = Field(None, description="The column that holds it. An empty cell is no identifier.")
    columns: Annotated[tuple[Column, ...], Field(min_length=2, max_length=10)] | None = Field(
        None,
        description="Columns that only together say who somebody is, such as name, date of birth and postcode. Where "
        "one of them is empty, or says nothing such as `unknown`, there is no identifier.",
    )
    assurance: AssuranceName = Field(
        description="How sure the source is that it is theirs. From the bar of its kind on it joins the record to "
        "whoever else has it; below, it is a claim."
    )

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.column is None) == (self.columns is None):
            raise ValueError("give either column or columns")
        return self

    @property
    def parts(self) -> tuple[Column, ...]:
        """Its columns, one or several."""
        return self.columns or (self.column or "",)


class MappedTrait(_Closed):
    """A trait of the customer whom a row is about."""

    column: Column
    type: TraitType | None = None


class ImportMap(_Closed):
    """Which columns of a file are what, for `steadylight import customers`."""

    source: ChannelName = Field(
        description="The system that the rows come from, such as crm. Its rows come in through a channel of that name."
    )
    key: Annotated[
        tuple[Column, ...],
        Field(min_length=1, max_length=10),
        BeforeValidator(_listed),
        WithJsonSchema({"anyOf": [_COLUMN, _COLUMNS]}),
    ] = Field(description="The column, or columns, by which the source knows a row.")
    identifiers: Annotated[tuple[MappedIdentifier, ...], Field(max_length=MOST_IDENTIFIERS - 1)] = Field(
        (), description="What in a row says who the customer is."
    )
    traits: Annotated[
        Mapping[TraitName, MappedTrait],
        Field(max_length=MOST_TRAITS),
        BeforeValidator(_named),
        WithJsonSchema(
            {
                "anyOf": [
                    {
                        "type": "object",
                        "propertyNames": {"pattern": _NAME},
                        "additionalProperties": {"anyOf": [_COLUMN, _TRAIT]},
                        "maxProperties": MOST_TRAITS,
                    },
                    {
                        "type": "array",
                        "items": {"type": "string", "pattern": _NAME},
                        "uniqueItems": True,
                        "maxItems": MOST_TRAITS,
                    },
                ]
            }
        ),
    ] = Field(
        {},
        description="What a row says of the customer: each trait's name with its column, or with `column` and `type`; "
        "or a list of columns, whose names are the traits'. An empty cell says nothing.",
    )
    at: Column | None = Field(
        None, description="The column with the time of a row: a date or RFC 3339, UTC where it has no offset."
    )
    revision: Annotated[int, Field(strict=True, ge=0, lt=2**53)] = Field(
        0,
        description="Count it up where a corrected map says other traits of the same rows: of two words of one time, "
        "that of the higher revision counts.",
    )

    @property
    def columns(self) -> set[str]:
        """All that it reads."""
        mapped = [*self.key, *(part for one in self.identifiers for part in one.parts)]
        return {*mapped, *(one.column for one in self.traits.values()), *([self.at] if self.at else [])}


class Row(NamedTuple):
    """One row by column, and the physical line on which it begins; the first is 1."""

    line: int
    cells: Mapping[str, Any]


class Fault(NamedTuple):
    """Why a row is refused before anybody is asked; the key where it could be read."""

    line: int
    key: str | None
    message: str


def read_map(text: str) -> ImportMap:
    """The map that the text is. Raises Invalid, with a line for each fault."""
    return document.read(text, ImportMap, what="a map", begins="source: NAME", words=_words)


def with_source(map: ImportMap, source: str) -> ImportMap:
    """The map, for another source. Raises Invalid for what is no name of one."""
    try:
        return map.model_copy(update={"source": _source.validate_python(source)})
    except ValidationError:
        raise Invalid(f"{source!r} is no name of a source: {_NAME_RULE}.") from None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a map."""
    return document.json_schema(ImportMap, id="import", title="Import")


def _words(kind: str, path: document.Path) -> str | None:
    if kind != "string_pattern_mismatch":
        return None
    if path[0] == "traits":
        return "a trait's name has 1 to 100 letters, digits, dots, hyphens and underscores, a letter first"
    return _NAME_RULE
