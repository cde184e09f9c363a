"""Valid image references of all forms, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

SHA256 = "sha256:" + "0123456789abcdef" * 4


SHA512 = "sha512:" + "0123456789abcdef" * 8


components = st.from_regex(r"[a-z0-9]{1,12}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)


paths = st.lists(components, min_size=1, max_size=6).map("/".join)


tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)


digests = st.from_regex(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}", fullmatch=True)


labels = st.from_regex(r"[A-Za-z0-9]{1,10}(-{1,2}[A-Za-z0-9]{1,5})?", fullmatch=True)


names = st.lists(labels, min_size=2, max_size=4).map(".".join)


ports = st.integers(1, 65535).map(str)


addresses = st.ip_addresses(v=6).map(lambda address: f"[{address.exploded}]")


hosts = st.one_of(
    names, st.builds("{}:{}".format, names, ports), addresses, st.builds("{}:{}".format, addresses, ports)
)


@st.composite
def references(draw: st.DrawFn) -> str:
    text = draw(paths)
    # Without a host, the first component must not look like a host.
    text = f"{draw(hosts)}/{text}" if draw(st.booleans()) else f"acme/{text}"
    if draw(st.booleans()):
        text += f":{draw(tags)}"
    if draw(st.booleans()):
        text += f"@{draw(digests)}"
    return text
