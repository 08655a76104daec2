"""Pieces of the solutions: Python that an agent would write, one step each."""

from textwrap import dedent


def step(code: str) -> str:
    """Code that stands indented in a family's source."""
    return dedent(code).strip()


def sign_in(app: str) -> str:
    """Leaves the access token in `<app>_token`."""
    username = "phone_number" if app == "phone" else "email"
    return step(f"""
        profile = apis.supervisor.show_profile()
        accounts = apis.supervisor.show_account_passwords()
        passwords = {{account['account_name']: account['password'] for account in accounts}}
        {app}_token = apis.{app}.login(
            username=profile['{username}'], password=passwords['{app}']
        )['access_token']
        print('Signed in to {app}.')
    """)


def find_contact(name: str) -> str:
    """Leaves the contact in `contact`; needs `phone_token`."""
    return step(f"""
        found = apis.phone.search_contacts(
            query={name!r}, page_limit=20, access_token=phone_token
        )
        names = [one['first_name'] + ' ' + one['last_name'] for one in found]
        contact = found[names.index({name!r})]
        print(contact)
    """)


def find_playlist(title: str) -> str:
    """Leaves the playlist in `playlist`; needs `spotify_token`."""
    return step(f"""
        page, playlists = 0, []
        while True:
            found = apis.spotify.show_playlist_library(
                page_index=page, page_limit=20, access_token=spotify_token
            )
            playlists += found
            page += 1
            if len(found) < 20:
                break
        playlist = [one for one in playlists if one['title'] == {title!r}][0]
        print(playlist)
    """)


def find_note(title: str) -> str:
    """Leaves the note in `note`; needs `simple_note_token`."""
    return step(f"""
        found = apis.simple_note.search_notes(
            query={title!r}, page_limit=20, access_token=simple_note_token
        )
        note = [one for one in found if one['title'] == {title!r}][0]
        print(note)
    """)


def complete(answer: str = "None") -> str:
    """Ends the task; `answer` is an expression."""
    return f"print(apis.supervisor.complete_task(answer={answer}))"
