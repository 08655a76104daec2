"""The conformance kit: what every environment of Training Sandbox must do.

`python -m training_sandbox_conformance NAME` starts a real server with the environment NAME, plays
its examples over HTTP and says for each promise whether it is kept, and if not, what to do.
"""
