"""Results folders made by hand."""

from implicitbias.store import Store

IDENTITY = {"study": "s", "settings": [], "runs": 3, "digest": "d"}


def create(folder, identity=IDENTITY, text="") -> Store:
    store = Store(folder)
    store.prepare()
    store.describe(identity, text)
    return store
