"""The committed contract beside the one the code makes; `python -m tests.house.contract` writes the former."""

import json
from pathlib import Path

from steadylight import _operations
from steadylight_server.api import schema
from steadylight_server.blueprint import models as blueprint
from steadylight_server.imports import models as imports

FOLDER = Path(__file__).parents[2] / "schema"
SCHEMA = FOLDER / "schema.graphql"
BLUEPRINT = FOLDER / "blueprint.schema.json"
IMPORT = FOLDER / "import.schema.json"
OPERATIONS = FOLDER / "operations"


def made() -> dict[Path, str]:
    """Text by file: the schema as the server prints it, a blueprint's, a map's, each operation as the SDK sends it."""
    operations = {OPERATIONS / f"{name}.graphql": text for name, text in _operations.OPERATIONS.items()}
    declared = {BLUEPRINT: blueprint.json_schema(), IMPORT: imports.json_schema()}
    schemas = {file: json.dumps(one, indent=2, ensure_ascii=False) + "\n" for file, one in declared.items()}
    return {SCHEMA: schema.printed().strip() + "\n"} | schemas | operations


def committed() -> dict[Path, str]:
    """Text by file, as it stands in the repository."""
    return {
        file: file.read_text() for file in [SCHEMA, BLUEPRINT, IMPORT, *OPERATIONS.glob("*.graphql")] if file.exists()
    }


def write() -> None:
    """Makes the repository's files what the code makes; a file that nothing makes any more goes."""
    for file in committed().keys() - made().keys():
        file.unlink()
    for file, text in made().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


if __name__ == "__main__":
    write()
    print(f"Wrote {len(made())} files under {FOLDER.name}/.")
