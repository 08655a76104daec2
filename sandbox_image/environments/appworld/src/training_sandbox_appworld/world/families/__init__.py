"""The kinds of tasks. A family makes any number of tasks from the contents of a world."""

from training_sandbox_appworld.world.families import phone, simple_note, spotify, venmo
from training_sandbox_appworld.world.families.draft import Draft, MakeDraft

__all__ = ["FAMILIES", "Draft"]

FAMILIES: dict[str, MakeDraft] = {
    "send_money": venmo.send_money,
    "total_sent": venmo.total_sent,
    "like_playlist": spotify.like_playlist,
    "playlist_minutes": spotify.playlist_minutes,
    "send_text": phone.send_text,
    "birthday": phone.birthday,
    "add_note": simple_note.add_note,
    "pin_note": simple_note.pin_note,
}
