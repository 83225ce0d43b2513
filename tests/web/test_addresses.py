"""What may be pinged, row by row, and in which form it is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noc_web.catalog.addresses import checked


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("10.0.0.1", "10.0.0.1"),
        (" 10.0.0.1\n", "10.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::1", "::1"),
        ("::ffff:10.0.0.1", "::ffff:a00:1"),
        ("fe80::1%eth0.100", "fe80::1%eth0.100"),
        ("Router-1.Example.ORG", "router-1.example.org"),
        ("router.example.org.", "router.example.org"),
        ("localhost", "localhost"),
        ("_service.example", "_service.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("Straße.example", "xn--strae-oqa.example"),
        ("STRASSE.example", "strasse.example"),
        ("bücher\u3002straße\uff0eexample", "xn--bcher-kva.xn--strae-oqa.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("1.example", "1.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)  # fmt: skip
def test_an_address_is_kept_in_one_form(typed: str, kept: str) -> None:
    assert checked(typed) == kept
    assert checked(kept) == kept


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "no host name"),
        (".", "no host name"),
        ("a..b", "no host name"),
        ("example..", "no host name"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("::ffff:224.0.0.1", "multicast"),
        ("0.0.0.0", "no host's address"),
        ("::", "no host's address"),
        ("::ffff:0.0.0.0", "no host's address"),
        ("255.255.255.255", "no host's address"),
        ("10.0.0.256", "looks like a number"),
        ("10.0.0", "looks like a number"),
        ("127.1", "looks like a number"),
        ("2130706433", "looks like a number"),
        ("0x7f000001", "looks like a number"),
        ("0x7f.1", "looks like a number"),
        ("\uff11\uff12\uff17.0.0.1", "looks like a number"),
        ("10.0.0.0/8", "no host name"),
        ("10.0.0.1:80", "no host name"),
        ("http://example.org", "no host name"),
        ("-f", "no host name"),
        ("a-.example", "no host name"),
        ("a b", "no host name"),
        ("a\nb", "no host name"),
        ("a\x00", "no host name"),
        ("a\u202eb", "no host name"),
        ("a" * 64 + ".example", "no host name"),
        (".".join(["a" * 60] * 5), "no host name"),
        (".".join(["ü"] * 60), "no host name"),
        ("../etc/passwd", "no host name"),
        ('"><img src=x onerror=alert(1)>', "no host name"),
        ("fe80::1%", "no host name"),
        ("fe80::1%a b", "zone"),
        ("fe80::1%eth0\n;x", "zone"),
        ("fe80::1%" + "e" * 40, "zone"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_address_is_refused_with_the_reason(typed: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        checked(typed)


@given(st.text(max_size=300))
def test_any_text_gives_a_short_printable_address_or_a_reason(typed: str) -> None:
    try:
        kept = checked(typed)
    except ValueError:
        return
    assert kept.isprintable()
    assert kept.isascii()
    assert 0 < len(kept) <= 253
    assert not kept.startswith("-")
    assert checked(kept) == kept
