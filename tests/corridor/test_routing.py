"""An agent signs for a sub-account or a vault: every order and every question is about that account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.api.corridor import Step
from engine.keeping import parts_of
from engine.sim.world import ENVIRON
from engine.trading.custody import Verdict
from safety.canonical import changed
from safety.reasons import Refusal
from seams.virtual import VirtualLoop, run_virtual
from tests.corridor.halls import Hall, House
from tests.corridor.stages import HyperliquidStage
from tests.venues.hyperliquid_desk import MASTER, OTHER
from tests.venues.test_hyperliquid_adapter import KEY
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.sandbox.inprocess import PeerLink

ROUTED = "0x" + "51" * 20
STRANGERS = "0x" + "52" * 20
roles = pytest.mark.parametrize("role", ["subAccount", "vault"])


class RoutedStage(HyperliquidStage):
    """A Hyperliquid on which our agent acts for `ROUTED`, led by our master; questions are kept."""

    def __init__(self, loop: VirtualLoop, role: str, vault: str = ROUTED) -> None:
        super().__init__(loop)
        self.vault, self.asked = vault, list[tuple[str, str]]()
        registry = self.exchange.registry
        registry.open(ROUTED, role=role, master=MASTER.address.lower(), cash=Decimal(5_000))
        registry.open(STRANGERS, role=role, master=OTHER.address.lower(), cash=Decimal(5_000))
        answer = self.exchange.info.answer

        def keep(body: dict[str, str]) -> object:
            self.asked.append((body.get("type", ""), body.get("user", "")))
            return answer(body)

        self.exchange.info.answer = keep
        self.renew()

    def renew(self) -> None:
        self.rig.link = PeerLink(self.exchange, "", "/ws", self.clock)
        self.adapter = self.rig.adapter = self.rig.make(changed(KEY, vault=self.vault))


def routed(
    folder: Path, role: str, scene: Callable[[Hall, RoutedStage], Awaitable[None]], vault: str = ROUTED
) -> None:
    loop = VirtualLoop()

    async def play() -> None:
        stage = RoutedStage(loop, role, vault)
        house = House(folder, stage)
        await stage.up()
        hall = Hall(house)
        await hall.quote()
        await house.settle()
        await scene(hall, stage)
        await stage.down()

    run_virtual(play(), loop)


@roles
def test_an_order_for_a_routed_account_arrives_there_and_nowhere_else(role: str, tmp_path: Path) -> None:
    async def scene(hall: Hall, stage: RoutedStage) -> None:
        custody, registry = hall.house.custody, stage.exchange.registry
        assert custody.verdict is Verdict.CLEAN, custody.differences
        assert custody.ledger.equity_usd == 5_000, "the money of the routed account, not its master's"
        session_id = await hall.at_gate(limit_price="60020", stop_loss="59000")
        prepared = hall.artifact(session_id, "account_readiness")["body"]["venue"]
        assert prepared["account"] == ROUTED and float(prepared["equity_usd"]) == 5_000
        await hall.do(session_id, Step.SUBMIT)
        (body,) = stage.arrived()
        assert msgspec.json.decode(body)["vaultAddress"] == ROUTED
        assert registry.users[ROUTED].positions["BTC"].szi == Decimal("0.001")
        master = registry.users[MASTER.address.lower()]
        assert not master.positions and not master.live and not master.fills
        await hall.house.tend(8)
        assert (await hall.do(session_id, Step.STATUS)).status == "filled"
        assert not (await hall.do(session_id, Step.RECONCILE)).reasons
        assert custody.ledger.holding(stage.symbol).quantity == Decimal("0.001")
        ours = {"clearinghouseState", "openOrders", "frontendOpenOrders", "orderStatus", "userFillsByTime",
                "userFunding", "historicalOrders", "userRateLimit", "userFees"}  # fmt: skip
        wrong = [(kind, user) for kind, user in stage.asked if kind in ours and user != ROUTED]
        assert not wrong and {kind for kind, _ in stage.asked} >= {"clearinghouseState", "userFillsByTime"}

    routed(tmp_path, role, scene)


@roles
def test_a_resting_order_of_a_routed_account_is_cancelled_there(role: str, tmp_path: Path) -> None:
    async def scene(hall: Hall, stage: RoutedStage) -> None:
        session_id = await hall.at_gate()
        await hall.do(session_id, Step.SUBMIT)
        user = stage.exchange.registry.users[ROUTED]
        assert len(user.live) == 1
        stage.by_hand(59_000, 0.001)  # the master's own order is none of ours
        assert (await hall.do(session_id, Step.CANCEL)).status == "canceled"
        assert not user.live and stage.live() == 1
        await hall.house.settle()
        assert not hall.house.custody.foreign, "what its master does is another account"

    routed(tmp_path, role, scene)


@roles
@pytest.mark.parametrize("vault", [STRANGERS, "0x" + "99" * 20, OTHER.address.lower()])
def test_an_account_that_is_not_ours_to_route_to_is_refused_in_preflight(
    role: str, vault: str, tmp_path: Path
) -> None:
    async def scene(hall: Hall, stage: RoutedStage) -> None:
        state = await hall.opened()
        assert state.status == "preflight_refused" and "venue_not_ready" in state.reasons, state
        problems = hall.artifact(state.session_id, "preflight")["body"]["venue"]["problems"]
        assert any(vault in each and MASTER.address.lower() in each for each in problems), problems
        with pytest.raises(Refusal, match="step_out_of_order"):
            await hall.do(state.session_id, Step.READINESS)
        assert stage.exchange.program is not None and stage.arrived() == []

    routed(tmp_path, role, scene, vault)


def test_an_engine_keeps_the_record_of_the_account_that_it_moves(tmp_path: Path) -> None:
    """The same key file with and without a sub-account: two accounts, two records."""
    loop = VirtualLoop()

    async def play() -> None:
        stage = RoutedStage(loop, "subAccount")
        house = House(tmp_path, stage)
        for vault, account in ((ROUTED, ROUTED), ("", KEY.account)):
            path = tmp_path / "key.json"
            path.write_bytes(msgspec.json.encode(changed(KEY, vault=vault)))
            path.chmod(0o600)
            core = house.custody.core
            block = {"venue_key_file": str(path), "venue_url": "http://127.0.0.1:1"}
            core.settings = core.settings.model_copy(
                update={"execution": core.settings.execution.model_copy(update=block)}
            )
            parts = parts_of(core)
            assert parts.account == account and isinstance(parts.venue, HyperliquidAdapter)
        assert ENVIRON["INTERLOCK_ENGINE__ENVIRONMENT"] == "sandbox"

    run_virtual(play(), loop)
