"""`steadylight articles`: in and out as files, published, expired, and shown."""

import json
from datetime import datetime
from pathlib import Path

import anyio
import pytest

from steadylight_server.access.models import ChannelKind
from steadylight_server.cli.database import services
from steadylight_server.core.config import Settings
from steadylight_server.core.embedded import EmbeddedDatabase
from tests.conftest import SHARED
from tests.factories import BY, action, batch, viewer

from .conftest import Steadylight

OWN = "---\ntitle: Roaming charges\n---\nOne pound a day.\n"
NOTE = "\n<!-- fragment\nid: note\naudience: {roles: [AGENT, ADMIN]}\n-->\nOffer the bundle.\n"
VAGOV = SHARED / "data" / "vagov_kb"
PAGES = "article: id\ntitle: title\nbody: body\ntopics: [hub]\nrestricted: private\n"
REVISIONS = "article: id\nbody: source\nat: revised_at\nreason: commit\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two articles."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "roaming.md").write_text(OWN + NOTE)
    (tmp_path / "in" / "fees.md").write_text("---\ntitle: Fees\nowner: b.cole\n---\nNone.\n")
    return tmp_path / "in"


def test_a_folder_is_imported_once(environment: str, steadylight: Steadylight, folder: Path) -> None:
    tried = steadylight("articles", "import", folder, "--dry-run").stdout
    first = steadylight("articles", "import", folder).stdout
    again = steadylight("articles", "import", folder).stdout

    assert tried == "+ fees\n+ roaming\n2 new, 0 changed, 0 unchanged. Nothing was imported.\n"
    assert first == "+ fees\n+ roaming\n2 new, 0 changed, 0 unchanged.\n"
    assert again == "0 new, 0 changed, 2 unchanged.\n"
    listed = steadylight.json("articles", "list")
    assert [(one["article"], one["state"], one["version"], one["owner"]) for one in listed] == [
        ("fees", "PUBLISHED", 1, "b.cole"),
        ("roaming", "PUBLISHED", 1, None),
    ]
    assert "Roaming charges" in steadylight("articles", "list").stdout


def test_what_is_exported_and_imported_is_the_same(
    environment: str, steadylight: Steadylight, folder: Path, tmp_path: Path
) -> None:
    steadylight("articles", "import", folder)
    out = tmp_path / "out"

    first = steadylight.json("articles", "export", out)
    again = steadylight("articles", "export", out).stdout

    assert first == {"files": 2, "written": 2, "strays": [], "pruned": False}
    assert again == "2 files, 0 of them written.\n"
    assert (out / "roaming.md").read_text() == (folder / "roaming.md").read_text().replace(
        "audience: {roles: [AGENT, ADMIN]}", "audience:\n  roles: [ADMIN, AGENT]"
    )
    assert steadylight("articles", "import", out).stdout == "0 new, 0 changed, 2 unchanged.\n"


def test_files_of_what_is_no_longer_published_are_told_and_go_when_asked(
    environment: str, steadylight: Steadylight, folder: Path
) -> None:
    steadylight("articles", "import", folder)
    steadylight("articles", "expire", "fees", "--reason", "no fees")

    told = steadylight("articles", "export", folder).stderr
    assert (folder / "fees.md").exists()
    steadylight("articles", "export", folder, "--prune")

    assert told == "fees.md is of no published article.\n"
    assert not (folder / "fees.md").exists()


def test_what_somebody_expired_is_not_brought_back_by_an_import(
    environment: str, steadylight: Steadylight, folder: Path
) -> None:
    steadylight("articles", "import", folder)
    steadylight("articles", "expire", "fees", "--reason", "no fees")
    (folder / "fees.md").write_text("---\ntitle: Fees\n---\nSome.\n")

    for _ in range(2):
        again = steadylight("articles", "import", folder)
        assert again.stdout == "0 new, 0 changed, 1 unchanged.\n"
        assert "fees was expired by somebody: it stays so. --bring-back publishes it.\n" in again.stderr
    assert steadylight.json("articles", "import", folder)["expired"] == ["fees"]
    assert steadylight.json("articles", "list")[0]["state"] == "EXPIRED"

    assert steadylight("articles", "import", folder, "--bring-back").stdout.endswith("1 changed, 1 unchanged.\n")
    assert steadylight.json("articles", "list")[0]["state"] == "PUBLISHED"
    assert "expired" not in steadylight("articles", "import", folder).stderr


def test_a_history_does_not_bring_back_what_somebody_expired(
    environment: str, steadylight: Steadylight, tmp_path: Path
) -> None:
    (tmp_path / "map.yaml").write_text(REVISIONS)
    rows = [
        {"id": "fees", "source": f"---\ntitle: Fees\n---\n{at}", "revised_at": at, "commit": "new"}
        for at in ("2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
    ]
    command = ("articles", "import", tmp_path / "a.jsonl", "--map", tmp_path / "map.yaml")
    (tmp_path / "a.jsonl").write_text(json.dumps(rows[0]))
    steadylight(*command)
    steadylight("articles", "expire", "fees", "--reason", "no fees")

    same = steadylight.json(*command)
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    more = steadylight.json(*command)
    state = steadylight.json("articles", "list")[0]["state"]
    back = steadylight.json(*command, "--bring-back")

    assert (same["expired"], same["versions"]) == ([], 0)
    assert (more["expired"], more["versions"], state) == (["fees"], 0, "EXPIRED")
    assert (back["expired"], back["versions"]) == ([], 1)
    assert steadylight.json("articles", "list")[0]["state"] == "PUBLISHED"


def test_an_article_that_ended_by_itself_is_exported_and_imported_like_any_other(
    environment: str, steadylight: Steadylight, folder: Path, tmp_path: Path
) -> None:
    text = "---\ntitle: Offer\nexpires: 2026-01-31\n---\nHalf price.\n"
    (folder / "offer.md").write_text(text)
    steadylight("articles", "import", folder)

    steadylight("articles", "export", tmp_path / "out")

    assert (tmp_path / "out" / "offer.md").read_text() == text
    assert steadylight("articles", "import", tmp_path / "out").stdout == "0 new, 0 changed, 3 unchanged.\n"
    offer = next(one for one in steadylight.json("articles", "list") if one["article"] == "offer")
    assert (offer["state"], offer["expires_at"]) == ("EXPIRED", "2026-01-31T00:00:00Z")


def test_what_is_due_for_review_is_told_with_its_owner(
    environment: str, steadylight: Steadylight, folder: Path
) -> None:
    front = "---\ntitle: T\nowner: {owner}\nreview_on: {day}\n{more}---\nText.\n"
    days = {"b": "2026-01-02", "a": "2026-01-02", "old": "2025-12-31", "later": "2099-01-01", "gone": "2025-01-01"}
    for name, day in days.items():
        more = "expires: 2026-01-01\n" if name == "gone" else ""
        (folder / f"{name}.md").write_text(front.format(owner=f"{name}.cole", day=day, more=more))
    steadylight("articles", "import", folder)

    due = steadylight.json("articles", "due")

    assert [(one["review_on"], one["article"], one["owner"]) for one in due] == [
        ("2025-12-31", "old", "old.cole"),
        ("2026-01-02", "a", "a.cole"),
        ("2026-01-02", "b", "b.cole"),
    ]
    assert [one["article"] for one in steadylight.json("articles", "due", "--by", "2025-12-31")] == ["old"]
    assert [one["article"] for one in steadylight.json("articles", "due", "--by", "2099-01-01")][-1] == "later"
    assert "old.cole" in steadylight("articles", "due").stdout
    assert steadylight("articles", "due", "--by", "2025-12-30").stdout == "Nothing is due for review by 2025-12-30.\n"


def test_nothing_of_a_folder_with_a_fault_is_imported(environment: str, steadylight: Steadylight, folder: Path) -> None:
    (folder / "zzz.md").write_text("---\ntitle: T\ncolour: red\n---\nX")
    (folder / "yyy.md").write_text("X")

    said = steadylight("articles", "import", folder, code=1).stderr

    assert said.splitlines() == [
        "Error: Nothing was imported.",
        "yyy.md:1: a file begins with front matter, between two lines of `---`",
        "zzz.md:3: colour: nothing is called so here. Is it spelt right?",
    ]
    assert steadylight.json("articles", "list") == []


def test_a_draft_is_published_and_the_history_tells(environment: str, steadylight: Steadylight, folder: Path) -> None:
    steadylight("articles", "import", folder)
    (folder / "roaming.md").write_text(OWN.replace("One pound", "Two pounds") + NOTE)

    steadylight("articles", "import", folder, "--draft", "--reason", "new tariff")
    shown = steadylight("articles", "show", "roaming").stdout
    published = steadylight("articles", "publish", "roaming", "--reason", "agreed").stdout
    history = steadylight.json("articles", "history", "roaming")

    assert "One pound a day." in shown
    assert published == "roaming is PUBLISHED, as version 3.\n"
    assert [(one["version"], one["state"], one["why"]) for one in history] == [
        (3, "PUBLISHED", "agreed"),
        (2, "DRAFT", "new tariff"),
        (1, "PUBLISHED", "imported from in"),
    ]
    assert "agreed" in steadylight("articles", "history", "roaming").stdout
    assert steadylight("articles", "diff", "roaming", 1).stdout.splitlines()[-2:] == [
        "-One pound a day.",
        "+Two pounds a day.",
    ]
    assert steadylight("articles", "diff", "roaming", 2, 3).stdout == "They say the same.\n"
    assert steadylight.json("articles", "show", "roaming", "--version", 1)["files"]["roaming.md"].startswith("---")


def test_what_is_not_there_is_told(environment: str, steadylight: Steadylight, tmp_path: Path) -> None:
    assert steadylight("articles", "list").stdout.startswith("There is no article yet.")
    for command in (("show", "x"), ("history", "x"), ("publish", "x", "--reason", "y"), ("diff", "x", 1)):
        assert steadylight("articles", *command, code=1).stderr == "Error: There is no such article.\n"
    (tmp_path / "a.jsonl").write_text("{}")
    assert "need a map" in steadylight("articles", "import", tmp_path / "a.jsonl", code=2).stderr
    (tmp_path / "map.yaml").write_text("colour: red")
    wrong = steadylight("articles", "import", tmp_path / "a.jsonl", "--map", tmp_path / "map.yaml", code=1).stderr
    assert "is no map.\nline 1: article: is missing" in wrong


def test_lines_that_cannot_be_taken_are_told_and_nothing_is_imported(
    environment: str, steadylight: Steadylight, tmp_path: Path
) -> None:
    good = {"id": "a", "title": "A", "body": "Text.", "hub": ["x", "y"], "private": True}
    unsaid = {name: value for name, value in good.items() if name != "private"}
    bad = [[], {**good, "private": "yes"}, {**good, "id": "A"}, {**good, "body": ""}, {**good, "hub": 3}, unsaid, good]
    (tmp_path / "map.yaml").write_text(PAGES)
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(one) for one in [good, *bad]) + "\n{")

    said = steadylight("articles", "import", tmp_path / "a.jsonl", "--map", tmp_path / "map.yaml", code=1).stderr

    assert said.splitlines()[1:] == [
        "a.jsonl:2: not a JSON object",
        "a.jsonl:3: private: true or false is wanted",
        "a.jsonl:4: 'A' is no article's name: at most 200 lower-case letters, digits, hyphens and underscores, in parts"
        " divided by slashes",
        "a.jsonl:5: body: text is wanted",
        "a.jsonl:6: hub: text is wanted, or a list of texts",
        "a.jsonl:7: private: true or false is wanted",
        "a.jsonl:8: a is there twice",
        "a.jsonl:9: not JSON: unexpected end of data: line 1 column 2 (char 1)",
    ]
    assert steadylight.json("articles", "list") == []


@pytest.mark.skipif(not VAGOV.is_dir(), reason="needs ../shared/data/vagov_kb, which is not part of the project")
def test_a_real_house_is_imported_in_one_command_and_twice_without_change(
    environment: str, steadylight: Steadylight, tmp_path: Path
) -> None:
    (tmp_path / "map.yaml").write_text(PAGES)
    command = ("articles", "import", VAGOV / "articles.jsonl", "--map", tmp_path / "map.yaml")

    first, again = steadylight.json(*command), steadylight.json(*command)

    assert (first["new"], again["new"], again["changed"], again["unchanged"]) == (228, 0, 0, 228)
    exported = steadylight.json("articles", "export", tmp_path / "out")
    assert exported["written"] == 228
    assert steadylight.json("articles", "import", tmp_path / "out")["unchanged"] == 228


@pytest.mark.skipif(not VAGOV.is_dir(), reason="needs ../shared/data/vagov_kb, which is not part of the project")
def test_real_revisions_are_histories_with_their_true_times(
    environment: str, steadylight: Steadylight, tmp_path: Path
) -> None:
    (tmp_path / "map.yaml").write_text(REVISIONS)
    command = ("articles", "import", VAGOV / "revisions.jsonl", "--map", tmp_path / "map.yaml")
    rows = [json.loads(line) for line in (VAGOV / "revisions.jsonl").read_text().splitlines()]

    first, again = steadylight.json(*command), steadylight.json(*command)

    assert (first["histories"], first["versions"], again["versions"]) == (12, 119, 0)
    for slug in {row["id"] for row in rows}:
        true = sorted(
            (row for row in rows if row["id"] == slug), key=lambda row: datetime.fromisoformat(row["revised_at"])
        )
        history = steadylight.json("articles", "history", slug)[::-1]
        assert [one["why"] for one in history] == [row["commit"] for row in true]
        assert [datetime.fromisoformat(one["at"]) for one in history] == [
            datetime.fromisoformat(row["revised_at"]) for row in true
        ]
        assert {one["by"] for one in history} == {"unknown"}
        assert [one["version"] for one in history] == list(range(1, len(true) + 1))


def test_whoever_was_shown_a_version_is_listed_and_that_somebody_looked_is_audited(
    environment: str, steadylight: Steadylight, folder: Path, mongod: EmbeddedDatabase
) -> None:
    steadylight("articles", "import", folder)
    assert steadylight("articles", "affected", "roaming", 1).stdout == "Nobody is recorded to have been shown it.\n"
    anybody = {"kind": "login", "value": "ann", "assurance": "LOGIN"}
    told = {"version": 1, "fragments": ["body"], "rendering": "sms"}
    shown = action(anybody, type="article.shown", subject={"kind": "article", "id": "roaming"}, properties=told)

    async def record() -> None:
        async with services(Settings(mongodb_uri=mongod.uri, database=environment)) as there:
            await there.access.add_channel("web", ChannelKind.SELF_SERVICE, by=BY)
            verdicts = await there.ingest.record(viewer("web"), batch(shown))
            assert not verdicts.exceptions

    anyio.run(record)
    [one] = steadylight.json("articles", "affected", "roaming", 1)

    assert (one["channel"], one["fragments"], one["rendering"]) == ("web", "body", "sms")
    assert one["customer"] in steadylight("articles", "affected", "roaming", 1).stdout
    noted = steadylight.json("audit", "list")
    assert one["customer"] in json.dumps(noted)
    assert "no such article" in steadylight("articles", "affected", "roaming", 2, code=1).stderr
