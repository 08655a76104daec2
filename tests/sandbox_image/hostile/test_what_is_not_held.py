"""What agent code can do all the same. docs/security.md says so; this is where it is seen."""

from tests.sandbox_image.hostile.agent_code import plain, smuggle


def test_it_plays_in_its_own_world_as_it_likes(confined, hostile):
    hostile.say("secret = 'mine'")
    said = hostile.act(
        smuggle("from appworld.apps.model_lib import CachedDBHandler; print(CachedDBHandler)", {})
    ).text
    assert "CachedDBHandler" in said


def test_it_sees_that_a_file_is_there_and_how_long_it_is(confined, hostile):
    path = confined.world.secret_files[0]
    said = hostile.act(smuggle(f"print('bytes:', os.stat({path!r}).st_size)", {})).text
    assert f"bytes: {(confined.world.truth / 'private_data.json').stat().st_size}" in said


def test_it_sees_the_environment_variables_of_the_server(confined, hostile):
    said = hostile.act(smuggle("print(os.environ['APPWORLD_ROOT'])", {})).text
    assert str(confined.world.root) in said


def test_code_from_before_a_fork_can_keep_a_pipe_between_the_branches(confined, hostile):
    hostile.act(smuggle("reader, writer = os.pipe()", {}))
    forked = confined.server.data("fork", instance_id=hostile.id, n=1)
    (branch,) = (episode["info"]["instance_id"] for episode in forked["episodes"])
    confined.server.act(branch, smuggle("os.write(writer, b'from the branch')", {}))
    said = hostile.act(smuggle("print(os.read(reader, 100))", {})).text
    confined.server.act(branch, plain("pass"))
    confined.server.post("release", instance_id=branch)
    assert "from the branch" in said
