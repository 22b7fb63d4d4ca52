"""The compiled curve signs what the SDK's plain one signs, byte for byte, and is the one in use."""

from __future__ import annotations

from eth_keys.backends import CoinCurveECCBackend, NativeECCBackend
from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.hyperliquid.signing import sign_l1, signer_of_l1, throwaway_key, wallet_of

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
