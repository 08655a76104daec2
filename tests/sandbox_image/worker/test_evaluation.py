import pytest

from training_sandbox_worker.evaluation import checked_reward


@pytest.mark.parametrize(("reward", "answered"), [(1, 1.0), (0.25, 0.25), (-1.5, -1.5)])
def test_a_reward_is_a_float(reward, answered):
    assert checked_reward(reward) == answered
    assert type(checked_reward(reward)) is float


@pytest.mark.parametrize("reward", [None, True, "1.0", [1.0], 1j])
def test_what_is_no_number_is_no_reward(reward):
    with pytest.raises(TypeError):
        checked_reward(reward)


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), float("-inf")])
def test_a_number_without_a_size_is_no_reward(reward):
    with pytest.raises(ValueError, match="finite"):
        checked_reward(reward)
