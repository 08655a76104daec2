"""Tasks about notes."""

from random import Random

from training_sandbox_appworld.world import words
from training_sandbox_appworld.world.contents import Contents
from training_sandbox_appworld.world.families import code
from training_sandbox_appworld.world.families.draft import Change, Draft
from training_sandbox_appworld.world.tables import value_of


def add_note(contents: Contents, random: Random) -> Draft:
    """Write a note. The wrong solution leaves the tag out."""
    supervisor = random.choice(contents.people)
    topic = random.choice(words.TOPICS)
    title = f"Plans for the {topic} in {random.choice(words.PLACES)}"
    content = words.sentences(random, 2)

    def solution(tags: list[str]) -> tuple[str, ...]:
        return (
            code.sign_in("simple_note"),
            code.step(f"""
                print(apis.simple_note.create_note(
                    title={title!r}, content={content!r},
                    tags={tags!r}, access_token=simple_note_token,
                ))
            """),
            code.complete(),
        )

    return Draft(
        supervisor=supervisor,
        instruction=(
            f'Write a note titled "{title}" with the tag "{topic}" and this content: {content}'
        ),
        right=solution([topic]),
        wrong=solution([]),
        changes=(
            Change(
                "simple_note.Note",
                added=(
                    {
                        "user_id": supervisor.id,
                        "title": title,
                        "content": content,
                        "tags": [topic],
                    },
                ),
            ),
        ),
    )


def pin_note(contents: Contents, random: Random) -> Draft:
    """Pin a note. The wrong solution also changes its title."""
    supervisor = random.choice(contents.people)
    notes = contents.of_user("simple_note.Note", supervisor)
    note_id, note = random.choice([(row_id, row) for row_id, row in notes if not row["pinned"]])
    title = value_of(note, "title", str)

    def solution(changes: str) -> tuple[str, ...]:
        return (
            code.sign_in("simple_note"),
            code.find_note(title),
            code.step(f"""
                print(apis.simple_note.update_note(
                    note_id=note['note_id'], {changes}, access_token=simple_note_token
                ))
            """),
            code.complete(),
        )

    return Draft(
        supervisor=supervisor,
        instruction=f'Pin my note titled "{title}".',
        right=solution("pinned=True"),
        wrong=solution("pinned=True, title='Pinned'"),
        changes=(
            Change(
                "simple_note.Note",
                updated=({"id": note_id, "title": title, "pinned": True},),
            ),
        ),
    )
