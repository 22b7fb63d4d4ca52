"""Every venue that the suite can be run on. A new venue adds its rig here."""

from __future__ import annotations

from tests.conformance.rig import Rig
from tests.conformance.rigs.exchange import ExchangeRig
from tests.conformance.rigs.hyperliquid import HyperliquidRig
from tests.conformance.rigs.kraken import KrakenRig
from tests.conformance.rigs.template import TemplateRig

RIGS: dict[str, type[Rig]] = {
    "hyperliquid": HyperliquidRig,
    "kraken": KrakenRig,
    "sandbox-exchange": ExchangeRig,
    "template": TemplateRig,
}
"""The venue that a key file names -> its rig."""
