"""Which objects are known to be gone."""

_REMEMBERED = 20_000


class Burials:
    """The UIDs of the objects of whose end a watch has told, the latest ones.

    An answer or a page of a list that comes after it would bring the object back, and nothing would
    take it away again.
    """

    def __init__(self) -> None:
        self._uids: dict[str, None] = {}

    def __contains__(self, uid: object) -> bool:
        return uid in self._uids

    def add(self, uid: str) -> None:
        """Take in that this object is gone; no other one has ever its UID."""
        self._uids[uid] = None
        if len(self._uids) > _REMEMBERED:
            del self._uids[next(iter(self._uids))]
