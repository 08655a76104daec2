"""WebShop as an environment: observations, params, scores, and what evaluation does not trust."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from training_sandbox_webshop.environment import WebShopEnvironment
from training_sandbox_webshop.examples import example_of
from training_sandbox_webshop.goal import read_goal
from training_sandbox_webshop.saved_state import StateTampered
from training_sandbox_webshop.shop import CatalogueUnusable, Shop
from training_sandbox_worker.environment import Episode, InvalidAction, Task
from training_sandbox_worker.examples import Example

AVAILABLE = "\n\nAvailable actions: "

Open = Callable[..., Episode]


@pytest.fixture
def open_task(environment: WebShopEnvironment) -> Open:
    return lambda number=0, **params: environment.open(Task(str(number), params))


@pytest.fixture
def evaluate(environment: WebShopEnvironment) -> Callable[..., float]:
    def evaluate(state: object, number: int = 0, *, sparse: bool = False) -> float:
        saved = state if isinstance(state, bytes) else json.dumps(state).encode()
        return environment.evaluate(Task(str(number), {}), saved, sparse=sparse)

    return evaluate


@pytest.fixture
def example(root: Path, shop: Shop) -> Example:
    found = example_of(root, shop, 0)
    assert found is not None
    return found


def act(episode: Episode, content: str) -> str:
    (message,) = episode.step({"role": "assistant", "content": content}).messages
    return str(message["content"])


def test_it_starts_with_what_can_be_done_and_the_instruction(open_task: Open, shop: Shop) -> None:
    system, user = open_task().initial_messages()
    page, _, offered = str(user["content"]).partition(AVAILABLE)
    assert (system["role"], user["role"]) == ("system", "user")
    assert "click[Buy Now]" in str(system["content"])
    assert page == f"WebShop [SEP] Instruction: [SEP] {shop.instruction(0)} [SEP] Search"
    assert json.loads(offered) == {"has_search_bar": True, "clickables": ["search"]}


def test_each_page_ends_with_what_it_offers(open_task: Open) -> None:
    page, _, offered = act(open_task(), "search[shoes]").partition(AVAILABLE)
    told = json.loads(offered)
    assert told["has_search_bar"] is False
    assert told["clickables"][:3] == ["back to search", "next >", page.split(" [SEP] ")[5].lower()]


def test_pages_come_alone_or_rich_where_that_is_wanted(open_task: Open) -> None:
    alone = act(open_task(available_actions=False), "search[shoes]")
    rich = act(open_task(observation="text_rich", available_actions=False), "search[shoes]")
    assert alone.startswith("Instruction: [SEP] ")
    assert rich.startswith("Instruction:\n")
    assert "\n[button] Next > [button_]\n" in rich
    assert "Available" not in alone + rich


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"observation": "html"}, "params.observation must be one of text, text_rich"),
        ({"observation": ["text"]}, "params.observation"),
        ({"available_actions": 1}, "params.available_actions"),
        ({"show_attributes": "yes"}, "params.show_attributes"),
    ],
)
def test_params_of_a_wrong_form_are_refused_by_name(
    open_task: Open, params: dict[str, object], named: str
) -> None:
    with pytest.raises(InvalidAction, match=named):
        open_task(**params)


def test_an_action_that_cannot_be_done_leaves_the_page(open_task: Open) -> None:
    episode = open_task()
    before = act(episode, "search[shoes]")
    for action in ("click[Buy Now]", "buy[it]", "search[]", "<tool_call>{</tool_call>"):
        assert act(episode, action) == before


def test_the_known_best_actions_end_with_the_full_reward(
    open_task: Open, evaluate: Callable[..., float], example: Example
) -> None:
    episode = open_task()
    observed = [episode.step(message) for message in example.right]
    assert [step.terminated for step in observed] == [False] * (len(observed) - 1) + [True]
    assert evaluate(episode.save()) == evaluate(episode.save(), sparse=True) == 1.0


def test_only_a_purchase_pays(
    open_task: Open, evaluate: Callable[..., float], example: Example
) -> None:
    episode = open_task()
    for message in example.right[:-1]:
        assert evaluate(episode.save()) == 0.0
        episode.step(message)
    assert evaluate(episode.save()) == 0.0


def test_less_than_the_full_reward_is_nothing_when_sparse(
    root: Path, evaluate: Callable[..., float]
) -> None:
    goal = read_goal(root, 0)
    state = {"task": "0", "bought": {"asin": goal.asin, "options": {}}}
    assert 0.0 < evaluate(state) < 1.0
    assert evaluate(state, sparse=True) == 0.0


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"1.0",
        b"[" * 60_000,
        b" " * 100_000,
        {"task": "0"},
        {"task": "1", "bought": None},
        {"task": "0", "bought": None, "reward": 1.0},
        {"task": "0", "bought": "B000000000"},
        {"task": "0", "bought": {"asin": 5, "options": {}}},
        {"task": "0", "bought": {"asin": "B000000000", "options": {}}},
        {"task": "0", "bought": {"asin": "B000000000", "options": {"size": 5}}},
        {"task": "0", "bought": {"asin": "\ud800", "options": []}},
    ],
)
def test_a_state_that_no_episode_saves_is_an_error_and_no_reward(
    evaluate: Callable[..., float], state: object
) -> None:
    with pytest.raises(StateTampered):
        evaluate(state)


def test_options_that_the_product_does_not_have_are_not_believed(
    root: Path, evaluate: Callable[..., float]
) -> None:
    goal = read_goal(root, 0)
    wanted = {f"extra {number}": value for number, value in enumerate(goal.options)}
    with pytest.raises(StateTampered, match="no such option"):
        evaluate({"task": "0", "bought": {"asin": goal.asin, "options": wanted}})


def test_copies_of_a_visit_go_their_own_ways(open_task: Open) -> None:
    one, other = open_task(), open_task()
    act(one, "search[shoes]")
    assert "Search" in act(other, "click[nothing]")


def test_the_truth_is_a_folder_that_nothing_else_is_in(
    environment: WebShopEnvironment, root: Path
) -> None:
    assert environment.truth() == [root / "truth"]
    assert environment.readable() == ()


def test_no_wish_of_a_goal_is_outside_the_truth(root: Path, shop: Shop) -> None:
    open_files = b"".join(
        path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "truth" not in path.parts
    )
    assert b"price_upper" not in open_files
    for number in range(shop.goals):
        assert read_goal(root, number).asin not in shop.instruction(number)


def test_a_root_without_a_catalogue_says_what_to_do(
    tmp_path: Path, load_environment: Callable[[Path], WebShopEnvironment]
) -> None:
    with pytest.raises(CatalogueUnusable, match=r"python -m training_sandbox_webshop\.catalogue"):
        load_environment(tmp_path)
