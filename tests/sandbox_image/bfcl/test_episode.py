"""A conversation: calls are answered, a message without calls goes on to the next turn."""

import json
import re

from training_sandbox_worker.environment import Task

END = {"role": "assistant", "content": "That is all."}
COMPLETED = "[CONVERSATION_COMPLETED]"


def call(name, **arguments):
    block = json.dumps({"name": name, "arguments": arguments})
    return {"role": "assistant", "content": f"<tool_call>\n{block}\n</tool_call>"}


def answer(observation) -> str:
    (message,) = observation.messages
    assert message["role"] == "user"
    return message["content"]


def tools_in(text: str) -> dict[str, dict]:
    """The tools between tags, by name."""
    listed = re.search(r"<tools>\n(.*)\n</tools>", text, re.DOTALL)
    tools = [json.loads(line)["function"] for line in listed[1].splitlines()] if listed else []
    return {tool["name"]: tool for tool in tools}


def test_a_task_begins_with_its_tools_and_what_the_user_wants(open_episode, tasks):
    system, user = open_episode("multi_turn_base_0").initial_messages()
    assert (system["role"], user["role"]) == ("system", "user")
    assert user["content"] == tasks["multi_turn_base_0"].turns[0]
    tools = tools_in(system["content"])
    assert {"cd", "cp", "post_tweet"} <= tools.keys()
    assert "fillFuelTank" not in tools
    assert tools["tail"]["parameters"]["properties"]["lines"]["type"] == "integer"
    assert tools["tail"]["parameters"]["required"] == ["file_name"]


def test_the_schemas_have_types_of_json_schema(environment):
    known = {"array", "boolean", "integer", "number", "object", "string"}

    def types(schema):
        yield schema["type"]
        for inner in (*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])):
            yield from types(inner)

    tools = tools_in(environment.tools())
    assert len(tools) > 100
    assert {kind for tool in tools.values() for kind in types(tool["parameters"])} <= known


def test_each_call_is_answered_by_a_block(open_episode):
    episode = open_episode("multi_turn_base_0")
    two = call("cd", folder="document")["content"] + call("mkdir", dir_name="temp")["content"]
    assert answer(episode.step({"role": "assistant", "content": two})) == (
        '<tool_call>\n{"name": "cd_1", "content": {"current_working_directory": "document"}}\n'
        '</tool_call>\n<tool_call>\n{"name": "mkdir_2", "content": "None"}\n</tool_call>\n'
    )


def test_a_message_without_calls_brings_the_next_turn_and_at_last_the_end(open_episode, tasks):
    episode = open_episode("multi_turn_base_0")
    said = [answer(episode.step(END)) for _ in tasks["multi_turn_base_0"].turns[1:]]
    assert said == tasks["multi_turn_base_0"].turns[1:]
    end = episode.step(END)
    assert end.terminated
    assert answer(end) == COMPLETED


def test_after_the_end_nothing_is_executed(open_episode, tasks):
    episode = open_episode("multi_turn_base_0")
    for _ in tasks["multi_turn_base_0"].turns:
        episode.step(END)
    saved = episode.save()
    assert answer(episode.step(call("cd", folder="document"))) == COMPLETED
    assert episode.save() == saved


def test_missing_functions_appear_in_their_turn(open_episode, tasks):
    seen = 0
    for task_id, task in tasks.items():
        for turn, names in task.missing.items():
            episode = open_episode(task_id)
            first = tools_in(episode.initial_messages()[0]["content"])
            later = [answer(episode.step(END)) for _ in range(turn)][-1]
            assert not set(names) & first.keys()
            assert list(tools_in(later)) == list(names)
            assert later.endswith("What about now?")
            seen += 1
    assert seen == 200


def test_long_context_fills_the_files_up(open_episode):
    observed = {
        category: answer(open_episode(f"multi_turn_{category}_0").step(call("find")))
        for category in ("base", "long_context")
    }
    assert len(observed["long_context"]) > 10 * len(observed["base"])


def test_text_without_a_form_in_utf8_is_escaped(open_episode):
    episode = open_episode("multi_turn_base_0")
    half = answer(episode.step(call("echo", content="half \ud800")))
    half.encode()
    assert "half \\ud800" in half
    assert "ganz ü" in answer(episode.step(call("echo", content="ganz ü")))


def test_a_copy_of_an_episode_goes_on_with_the_same_random_numbers(open_episode):
    episode = open_episode("multi_turn_base_50")
    seeded = open_episode("multi_turn_base_50")
    seeded.after_fork(5)
    message = call("get_outside_temperature_from_google")
    assert answer(episode.step(message)) == answer(seeded.step(message))


def test_every_task_has_a_right_example_and_a_wrong_one(environment, open_episode, tasks, played):
    assert list(played)[:800] == list(tasks)
    for example in list(played.values())[:800:40]:
        for messages, right in ((example.right, True), (example.wrong, False)):
            episode = open_episode(example.task_id)
            terminated = [episode.step(message).terminated for message in messages]
            assert terminated == [False] * (len(messages) - 1) + [True]
            reward = environment.evaluate(Task(example.task_id, {}), episode.save(), sparse=False)
            assert (reward == 1.0) == right
