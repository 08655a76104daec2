"""The 20-step mix: what an agent does in an episode, in any task of any world.

Sign in to six apps, search, list, look at single things, write four times, think. The same code
is executed over HTTP and natively. Searches are narrowed as an agent that knows the APIs narrows
them: one by words alone over all songs or products takes AppWorld a second and would hide
everything else.
"""

from textwrap import dedent


def _sign_in(app: str) -> str:
    username = "phone_number" if app == "phone" else "email"
    return f"""
        {app}_token = apis.{app}.login(
            username=profile[{username!r}], password=passwords[{app!r}]
        )['access_token']
        print(apis.{app}.show_account(access_token={app}_token))
    """


_STEPS = (
    "print(apis.api_docs.show_app_descriptions())",
    """
        print(apis.api_docs.show_api_descriptions(app_name='spotify'))
        print(apis.api_docs.show_api_doc(app_name='spotify', api_name='search_songs'))
    """,
    """
        profile = apis.supervisor.show_profile()
        accounts = apis.supervisor.show_account_passwords()
        passwords = {account['account_name']: account['password'] for account in accounts}
        print(profile)
    """,
    _sign_in("spotify"),
    """
        playlists = apis.spotify.show_playlist_library(
            page_index=0, page_limit=20, access_token=spotify_token
        )
        print(playlists)
    """,
    """
        song_ids = playlists[0]['song_ids'][:5]
        songs = [apis.spotify.show_song(song_id=song_id) for song_id in song_ids]
        print(sum(song['duration'] for song in songs))
    """,
    """
        artists = apis.spotify.show_song(song_id=song_ids[0])['artists']
        print(apis.spotify.search_songs(artist_id=artists[0]['id'], page_limit=10))
    """,
    """
        for song_id in song_ids[:2]:
            about = apis.spotify.show_song_privates(song_id=song_id, access_token=spotify_token)
            if not about['liked']:
                print(apis.spotify.like_song(song_id=song_id, access_token=spotify_token))
    """,
    _sign_in("phone"),
    """
        contacts = apis.phone.search_contacts(page_limit=20, access_token=phone_token)
        contact = contacts[0]
        print(contact)
    """,
    """
        print(apis.phone.send_text_message(
            phone_number=contact['phone_number'], message='On my way.', access_token=phone_token
        ))
    """,
    """
        print(apis.phone.search_text_messages(
            phone_number=contact['phone_number'], page_limit=20, access_token=phone_token
        ))
    """,
    _sign_in("venmo"),
    """
        payments = apis.venmo.show_transactions(
            direction='sent', page_index=0, page_limit=20, access_token=venmo_token
        )
        print(round(sum(payment['amount'] for payment in payments), 2))
        print(apis.venmo.show_venmo_balance(access_token=venmo_token))
    """,
    """
        print(apis.venmo.create_transaction(
            receiver_email=contact['email'], amount=1, description='Tea', access_token=venmo_token
        ))
    """,
    _sign_in("simple_note"),
    """
        notes = apis.simple_note.search_notes(
            query='plans', page_limit=10, access_token=simple_note_token
        )
        print(apis.simple_note.create_note(
            title='Seen', content=str(len(notes)), tags=['bench'], access_token=simple_note_token
        ))
    """,
    _sign_in("gmail")
    + """
        print(apis.gmail.show_inbox_threads(page_limit=10, access_token=gmail_token))
    """,
    """
        sellers = apis.amazon.search_sellers(query='moon', page_limit=10)
        found = apis.amazon.search_products(seller_id=sellers[0]['seller_id'], page_limit=10)
        print(apis.amazon.show_product(product_id=found[0]['product_id']))
    """,
    """
        longest = sorted(songs, key=lambda song: song['duration'])[-1]
        print(longest['title'], len(contacts), len(payments), len(notes))
    """,
)

MIX = tuple(dedent(step).strip() for step in _STEPS)
