"""The single-turn tasks: one question, which is answered by calls or by none."""
