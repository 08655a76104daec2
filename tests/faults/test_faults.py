"""Whatever happens, the operator converges, and does no harm on its way.

After every case all that users have asked for is there, nothing is written any more, and when all
is deleted nothing is left. The record of the whole case is read: see ``support/history.py``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults import cases
from tests.faults.support.case import CASES, Campaign
from tests.faults.support.trial import Rig

assert cases.ALL

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def campaign(rig: Rig, request: pytest.FixtureRequest) -> AsyncIterator[Campaign]:
    """All cases that were asked for, begun."""
    chosen = [
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path
    ]
    campaign = Campaign(rig, chosen)
    yield campaign
    await campaign.end()


@pytest.mark.parametrize("name", sorted(CASES, key=lambda name: CASES[name].order))
async def test_it_converges_and_does_no_harm(name: str, campaign: Campaign) -> None:
    await campaign.result(name)
