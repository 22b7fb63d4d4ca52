"""What we sign is what the SDK signs, byte for byte, and so are the compiled curve and the plain one."""

from __future__ import annotations

import pytest
from eth_keys.backends import CoinCurveECCBackend, NativeECCBackend
from eth_keys.datatypes import PrivateKey
from hyperliquid.utils import signing as sdk
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.hyperliquid.signing import sign_l1, signer_of_l1, surroundings, throwaway_key, wallet_of

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PLAIN, COMPILED = NativeECCBackend(), CoinCurveECCBackend()


@settings(max_examples=60, deadline=None)
@given(secret=st.integers(1, CURVE_ORDER - 1), digest=st.binary(min_size=32, max_size=32))
def test_both_curves_sign_the_same_bytes_with_a_low_s(secret: int, digest: bytes) -> None:
    key = secret.to_bytes(32, "big")
    made = COMPILED.ecdsa_sign(digest, PrivateKey(key, COMPILED))
    assert made.to_bytes() == PLAIN.ecdsa_sign(digest, PrivateKey(key, PLAIN)).to_bytes()
    assert 0 < made.s <= CURVE_ORDER // 2
    assert COMPILED.ecdsa_recover(digest, made) == PrivateKey(key, PLAIN).public_key


def test_a_wallet_signs_with_the_compiled_curve_and_either_curve_recovers_it() -> None:
    wallet = wallet_of(throwaway_key("curve"))
    assert isinstance(wallet._key_obj.backend, CoinCurveECCBackend)
    action = {"type": "noop"}
    made = sign_l1(wallet, action, 7, vault=None, expires_ms=None, is_mainnet=False)
    signature = {"r": made.r, "s": made.s, "v": made.v}
    found = signer_of_l1(action, signature, 7, vault=None, expires_ms=None, is_mainnet=False)
    assert found == wallet.address.lower()


ORDERS = st.fixed_dictionaries(
    {
        "type": st.just("order"),
        "orders": st.lists(
            st.fixed_dictionaries(
                {
                    "a": st.integers(0, 20_000),
                    "b": st.booleans(),
                    "p": st.text(max_size=12),
                    "r": st.booleans(),
                }
            ),
            max_size=3,
        ),
        "grouping": st.just("na"),
    }
)


@settings(max_examples=60, deadline=None)
@given(
    secret=st.integers(1, CURVE_ORDER - 1),
    action=ORDERS,
    nonce=st.integers(0, 2**63),
    vault=st.none() | st.binary(min_size=20, max_size=20).map(lambda name: "0x" + name.hex()),
    expires_ms=st.none() | st.integers(0, 2**63),
    is_mainnet=st.booleans(),
)
def test_what_is_signed_with_kept_surroundings_is_what_the_sdk_signs(
    secret: int,
    action: dict[str, object],
    nonce: int,
    vault: str | None,
    expires_ms: int | None,
    is_mainnet: bool,
) -> None:
    wallet = wallet_of(f"0x{secret:064x}")
    made = sign_l1(wallet, action, nonce, vault=vault, expires_ms=expires_ms, is_mainnet=is_mainnet)
    theirs = sdk.sign_l1_action(wallet, action, vault, nonce, expires_ms, is_mainnet)
    assert (made.r, made.s, made.v) == (theirs["r"], theirs["s"], theirs["v"])


def test_nothing_is_signed_where_the_sdk_surrounds_an_action_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = sdk.l1_payload

    def longer(agent: dict[str, object]) -> dict[str, object]:
        payload: dict[str, object] = before({**agent, "since": 1})
        payload["types"]["Agent"].append({"name": "since", "type": "uint256"})  # type: ignore[index]
        return payload

    monkeypatch.setattr(sdk, "l1_payload", longer)
    surroundings.cache_clear()
    wallet = wallet_of(throwaway_key("curve"))
    with pytest.raises(ValueError, match="something else"):
        sign_l1(wallet, {"type": "noop"}, 7, vault=None, expires_ms=None, is_mainnet=False)
    monkeypatch.undo()
    surroundings.cache_clear()
