"""kmigrate's own world over the two clusters, as its steps see them."""

from __future__ import annotations

from pathlib import Path

from two_clusters import TARGET, TwoClusters

from kmigrate.adapters.folder import FolderStore
from kmigrate.model import Auth, Migration, SecretRef, Source
from kmigrate.wiring import LiveWorld, NoLedger, Wires
from kmigrate.world import Reporter


def live_world(two: TwoClusters, folder: Path) -> LiveWorld:
    """Signed in as kmigrate on both sides, with the rights kmigrate gives itself and no more."""
    nobody = Auth(type="plain", username="nobody", password=SecretRef(env="NOBODY"))
    migration = Migration(
        name="proofs",
        source=Source(bootstrap=two.source.bootstrap, auth=nobody),
        target=TARGET,
        topics=(),
        applications=(),
        mirror_auth=nobody,
    )
    store = FolderStore(folder, two.bench.clock)
    wires = Wires(
        migration=migration,
        open_resources=lambda: store,
        connections={side: one.connection(side) for side, one in two.sides.items()},
    )
    return LiveWorld(wires=wires, clock=two.bench.clock, reporter=Reporter(), ledger=NoLedger())
