"""What is to be done: pure functions, no clock, no I/O."""
