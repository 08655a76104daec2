import pytest

from training_sandbox_appworld.prompts import Supervisor, system_prompt, tools

SUPERVISOR = Supervisor("Ada", "Holmes", "ada.holmes@gmail.com", "5550001234")
APPS = {"spotify": "Streams music.", "supervisor": "Knows the supervisor."}


def prompt(*, simple: bool = False, with_example: bool = True) -> str:
    return system_prompt(SUPERVISOR, APPS, simple=simple, with_example=with_example)


@pytest.mark.parametrize("simple", [True, False])
@pytest.mark.parametrize("with_example", [True, False])
def test_the_prompt_names_the_supervisor(simple: bool, with_example: bool) -> None:
    text = prompt(simple=simple, with_example=with_example)
    for part in ("Ada Holmes", "ada.holmes@gmail.com", "5550001234"):
        assert part in text
    assert "$" not in text


@pytest.mark.parametrize("simple", [True, False])
def test_the_prompt_tells_how_to_explore_and_to_finish(simple: bool) -> None:
    text = prompt(simple=simple)
    for api in (
        "apis.api_docs.show_app_descriptions",
        "apis.api_docs.show_api_descriptions",
        "apis.api_docs.show_api_doc",
        "apis.supervisor.complete_task",
    ):
        assert api in text
    assert "Streams music." in text


def test_only_the_prompt_for_blocks_shows_blocks() -> None:
    assert "```python" in prompt(simple=False)
    assert "```python" not in prompt(simple=True)


@pytest.mark.parametrize("simple", [True, False])
def test_without_the_example_the_last_turn_is_left(simple: bool) -> None:
    last_turn = prompt(simple=simple, with_example=False)
    assert prompt(simple=simple).endswith(f"USER:{last_turn}")
    assert "USER:" not in last_turn


def test_the_tools_description_names_the_tool_and_its_argument() -> None:
    assert "appworld" in tools()
    assert "code" in tools()
