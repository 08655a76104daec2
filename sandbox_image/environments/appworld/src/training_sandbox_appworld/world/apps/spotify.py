"""Spotify: artists, songs, playlists, likes and libraries."""

from random import Random

from training_sandbox_appworld.world import words
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import Tables, moment_before_now, value_of

_SONGS_OF_AN_ARTIST = 12
_SHORTEST_SONG_SECONDS = 120
_LONGEST_SONG_SECONDS = 360
_PLAYLIST_SONGS = 10
_PLAYLIST_TITLES = 2_000


def fill(tables: Tables, people: list[Person], random: Random, *, rows: int) -> None:
    """Add about so many rows: a third songs, the rest what the people made of them."""
    song_count = max(60, rows // 4)
    _add_songs(tables, random, song_count)
    songs = range(1, song_count + 1)
    for person in people:
        tables.add("spotify.MusicPlayer", user_id=person.id)
    left = rows - song_count - song_count // _SONGS_OF_AN_ARTIST - len(people)
    playlists = max(3 * len(people), left // 2 // (_PLAYLIST_SONGS + 1))
    _add_playlists(tables, people, random, songs, playlists)
    left -= playlists * (_PLAYLIST_SONGS + 1)
    a_person = min(song_count // 3, max(4, left // 2 // len(people)))
    for person in people:
        _add_likes(tables, person, random, songs, a_person)
        _add_library(tables, person, random, songs, a_person)


def _add_songs(tables: Tables, random: Random, count: int) -> None:
    for first in range(0, count, _SONGS_OF_AN_ARTIST):
        name = _artist_name(first // _SONGS_OF_AN_ARTIST)
        genre = random.choice(words.GENRES)
        artist_id = tables.add_searchable(
            "spotify.Artist",
            f"{name} {genre}",
            name=name,
            genre=genre,
            created_at=moment_before_now(random),
        )
        for number in range(first, min(first + _SONGS_OF_AN_ARTIST, count)):
            title = words.numbered_title(number)
            tables.add_searchable(
                "spotify.Song",
                f"{title} {genre} {name}",
                title=title,
                artist_ids=[artist_id],
                duration=random.randint(_SHORTEST_SONG_SECONDS, _LONGEST_SONG_SECONDS),
                release_date=moment_before_now(random),
                genre=genre,
                play_count=random.randint(0, 1_000),
                rating=0.0,
                like_count=0,
            )


def _artist_name(number: int) -> str:
    """A name that no other artist has: "Abby Anchor"."""
    first_names = words.FEMALE_NAMES + words.MALE_NAMES
    last_name, first_name = divmod(number, len(first_names))
    return f"{first_names[first_name]} {words.NOUNS[last_name]}"


def _add_playlists(
    tables: Tables, people: list[Person], random: Random, songs: range, count: int
) -> None:
    titles = {person.id: iter(random.sample(range(_PLAYLIST_TITLES), 400)) for person in people}
    for number in range(count):
        person = people[number % len(people)]
        title = words.numbered_title(next(titles[person.id])).replace(" of ", " from ")
        created_at = moment_before_now(random)
        playlist_id = tables.add_searchable(
            "spotify.Playlist",
            title,
            title=title,
            user_id=person.id,
            created_at=created_at,
            rating=0.0,
            is_public=random.random() < 0.5,  # noqa: PLR2004
        )
        for song_id in random.sample(songs, _PLAYLIST_SONGS):
            tables.add(
                "spotify.PlaylistSong",
                playlist_id=playlist_id,
                song_id=song_id,
                added_at=created_at,
            )


def _add_likes(tables: Tables, person: Person, random: Random, songs: range, count: int) -> None:
    for song_id in random.sample(songs, count):
        liked_at = moment_before_now(random)
        tables.add("spotify.SongLike", user_id=person.id, song_id=song_id, liked_at=liked_at)
        song = tables.row("spotify.Song", song_id)
        song["like_count"] = value_of(song, "like_count", int) + 1


def _add_library(tables: Tables, person: Person, random: Random, songs: range, count: int) -> None:
    for song_id in random.sample(songs, count):
        tables.add(
            "spotify.UserLibrarySong",
            user_id=person.id,
            song_id=song_id,
            created_at=moment_before_now(random),
        )
