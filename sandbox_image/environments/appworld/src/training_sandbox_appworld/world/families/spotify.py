"""Tasks about playlists."""

from random import Random

from training_sandbox_appworld.world.contents import Contents
from training_sandbox_appworld.world.families import code
from training_sandbox_appworld.world.families.draft import Change, Draft
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import value_of


def like_playlist(contents: Contents, random: Random) -> Draft:
    """Like the songs of a playlist. The wrong solution likes only the first one."""
    supervisor, title, songs = _playlist(contents, random)
    likes = contents.of_user("spotify.SongLike", supervisor)
    liked = {value_of(like, "song_id", int) for _, like in likes}
    missing = [song for song in songs if song not in liked]

    def solution(song_ids: str) -> tuple[str, ...]:
        return (
            code.sign_in("spotify"),
            code.find_playlist(title),
            code.step(f"""
                for song_id in {song_ids}:
                    about = apis.spotify.show_song_privates(
                        song_id=song_id, access_token=spotify_token
                    )
                    if not about['liked']:
                        apis.spotify.like_song(song_id=song_id, access_token=spotify_token)
                        print('Liked', song_id)
            """),
            code.complete(),
        )

    return Draft(
        supervisor=supervisor,
        instruction=f'Like all the songs of my Spotify playlist "{title}" that I do not like yet.',
        right=solution("playlist['song_ids']"),
        wrong=solution(f"[{missing[0]}]"),
        changes=(
            Change(
                "spotify.SongLike",
                added=tuple({"user_id": supervisor.id, "song_id": song} for song in missing),
            ),
        ),
        side_effects=("spotify.Song",),
    )


def playlist_minutes(contents: Contents, random: Random) -> Draft:
    """How long a playlist is. The wrong solution leaves out the last song."""
    supervisor, title, songs = _playlist(contents, random)
    rows = (contents.tables.row("spotify.Song", song) for song in songs)
    seconds = sum(value_of(row, "duration", int) for row in rows)

    def solution(counted: str) -> tuple[str, ...]:
        return (
            code.sign_in("spotify"),
            code.find_playlist(title),
            code.step("""
                durations = [
                    apis.spotify.show_song(song_id=song_id)['duration']
                    for song_id in playlist['song_ids']
                ]
                print(durations)
            """),
            code.complete(f"sum({counted}) // 60"),
        )

    return Draft(
        supervisor=supervisor,
        instruction=(
            f'How many full minutes does my Spotify playlist "{title}" take from start to end?'
        ),
        right=solution("durations"),
        wrong=solution("durations[:-1]"),
        answer=seconds // 60,
    )


def _playlist(contents: Contents, random: Random) -> tuple[Person, str, list[int]]:
    """Someone, the title of a playlist of theirs, and its songs, of which most are not liked."""
    while True:
        supervisor = random.choice(contents.people)
        playlist_id, playlist = random.choice(contents.of_user("spotify.Playlist", supervisor))
        entries = contents.tables.rows("spotify.PlaylistSong")
        songs = [
            value_of(entry, "song_id", int)
            for entry in entries
            if entry["playlist_id"] == playlist_id
        ]
        likes = contents.of_user("spotify.SongLike", supervisor)
        liked = {value_of(like, "song_id", int) for _, like in likes}
        if len(set(songs) - liked) > 1:
            return supervisor, value_of(playlist, "title", str), songs
