"""A generator of synthetic AppWorld worlds: people, their data in every app, and tasks.

AppWorld's own data cannot be redistributed; a synthetic world has the same form and can be made
anywhere, so tests, demonstrations and benchmarks use one. It is made by
`python -m training_sandbox_appworld.world`; the same seed and size give the same world.

The modules, from the pure to the written:

- `sizes`: how many people, rows and tasks;
- `words`, `people`, `tables`: the vocabulary, the people, and rows as plain data;
- `apps`: the rows of each app; `contents`: all of them together;
- `families`: the kinds of tasks; `evaluations`: the code that scores them;
- `databases`, `writer`: what is written, through AppWorld's own models;
- `solutions`: a right and a wrong solution of every task, for tests and demonstrations.
"""
