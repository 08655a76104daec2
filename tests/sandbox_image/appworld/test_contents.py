"""The rows of a world, before they are written and as AppWorld reads them."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from training_sandbox_appworld.world import evaluation
from training_sandbox_appworld.world.contents import Contents, make_contents, source
from training_sandbox_appworld.world.families import FAMILIES
from training_sandbox_appworld.world.sizes import (
    DEFAULT_ROWS,
    LARGEST_ROWS,
    SMALL_ROWS,
    WorldSize,
    full_size,
    small_size,
)

_CHECK_ROWS = """
import sys
from appworld.apps import get_all_apps
from appworld.collections.models import ModelCollection

checked = 0
models = ModelCollection.load(
    to_db_home_path=":memory:check", from_db_home_path=sys.argv[1], load_apps=get_all_apps()
)
for app, of_app in models.items():
    for model in of_app.SQLModel.models():
        for record in model.all():
            checked += 1
            record.self_validate()
            saved = record.record_hash
            record.set_record_hash()
            assert record.record_hash == saved, record
            if model.searchable():
                text = " ".join(record.computed_search_text.lower().split())
                assert record.saved_search_text == text, record
print(checked)
"""


@pytest.fixture(scope="module")
def contents() -> Contents:
    return make_contents(small_size(), seed=7)


@pytest.mark.parametrize("rows", [SMALL_ROWS, 50_000, DEFAULT_ROWS, LARGEST_ROWS])
def test_a_world_has_about_the_rows_that_are_asked_for(rows: int) -> None:
    made = make_contents(full_size(rows), seed=7).tables.count()
    assert made == pytest.approx(rows, rel=0.02)


@pytest.mark.parametrize("rows", [-1, 0, SMALL_ROWS - 1, LARGEST_ROWS + 1])
def test_a_size_out_of_range_is_refused_with_the_range(rows: int) -> None:
    with pytest.raises(ValueError, match=f"{SMALL_ROWS} to {LARGEST_ROWS}"):
        WorldSize(rows=rows, tasks_per_scenario=1)


def test_the_same_seed_makes_the_same_rows(contents: Contents) -> None:
    again = make_contents(small_size(), seed=7)
    assert again.tables.items() == contents.tables.items()
    assert again.people == contents.people


def test_another_seed_makes_other_rows(contents: Contents) -> None:
    assert make_contents(small_size(), seed=8).tables.items() != contents.tables.items()


def test_every_id_refers_to_a_row(contents: Contents) -> None:
    people = len(contents.people)
    for name, table in contents.tables.items():
        for row in table.rows:
            for field in ("user_id", "main_user_id", "sender_id", "receiver_id", "friend_id"):
                assert 1 <= row.get(field, 1) <= people, name
            for field in ("song_id", "playlist_id"):
                of = f"spotify.{field.removesuffix('_id').title()}"
                assert 1 <= row.get(field, 1) <= len(contents.tables.rows(of)), name


def test_a_song_counts_its_likes(contents: Contents) -> None:
    likes = Counter(like["song_id"] for like in contents.tables.rows("spotify.SongLike"))
    for song_id, song in contents.tables.with_ids("spotify.Song"):
        assert song["like_count"] == likes[song_id]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_gives_every_task_solutions_that_differ_and_complete_it(
    contents: Contents, family: str
) -> None:
    for number in range(20):
        draft = FAMILIES[family](contents, source(7, f"{family}/{number}"))
        assert draft.right != draft.wrong
        for solution in (draft.right, draft.wrong):
            assert len(solution) > 1
            assert "complete_task" in solution[-1]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_task_lists_the_tests_of_its_evaluation(contents: Contents, family: str) -> None:
    draft = FAMILIES[family](contents, source(7, family))
    listed = {str(entry["requirement"]) for entry in draft.test_data()}
    named = {evaluation.ANSWER, evaluation.CHANGED_MODELS, evaluation.RECORDS}
    assert listed == (named if draft.changes else named - {evaluation.RECORDS})
    assert bool(draft.changes) == (draft.answer is None)


def test_appworld_agrees_with_every_row_its_hash_and_its_search_text(world: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "-c", _CHECK_ROWS, str(world / "data" / "base_dbs")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert int(re.findall(r"\d+", checked.stdout)[-1]) > SMALL_ROWS
