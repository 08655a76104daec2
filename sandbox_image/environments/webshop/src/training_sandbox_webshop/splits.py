"""How the goals of a catalogue are divided: by their number, as WebShop's authors divide them.

The first 500 are the test set, the next 1,000 the development set, the others are for training. Of
fewer than 3,000 goals a sixth are for tests, a third for development, and half for training.
"""

_TEST = 500
_DEV = 1000


def divide(goals: int) -> dict[str, range]:
    """The numbers of the goals of each split."""
    test = min(_TEST, goals // 6)
    dev = test + min(_DEV, goals // 3)
    return {"train": range(dev, goals), "dev": range(test, dev), "test": range(test)}
