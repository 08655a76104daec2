import itertools

import pytest

from training_sandbox_server.episode_state import EpisodeState, refusal

OVER = {EpisodeState.RELEASED, EpisodeState.EXPIRED, EpisodeState.LOST}
ALLOWED = {
    (EpisodeState.OPENING, EpisodeState.RUNNING),
    (EpisodeState.RUNNING, EpisodeState.TERMINATED),
    *itertools.product(set(EpisodeState) - OVER, OVER),
}


@pytest.mark.parametrize(("state", "following"), list(itertools.product(EpisodeState, repeat=2)))
def test_a_state_is_followed_only_by_what_is_listed(state, following):
    assert state.may_become(following) is ((state, following) in ALLOWED)


@pytest.mark.parametrize("state", EpisodeState)
def test_calls_are_refused_exactly_when_the_episode_is_over(state):
    assert state.is_over is (state in OVER)


@pytest.mark.parametrize("state", sorted(OVER))
def test_a_refusal_names_the_episode_and_how_it_ended(state):
    told = refusal(state, "an-id")
    assert (told.status, told.type) == (410, f"episode_{state}")
    assert "an-id" in told.detail
