from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.deployment.codec import DecodeError, build, decode, encode, plain
from orchestrator.deployment.model import (
    Alarm,
    Backoff,
    Channel,
    Dependency,
    Deployment,
    Endpoint,
    File,
    Health,
    Hook,
    Hooks,
    Kind,
    Level,
    Limit,
    Notify,
    OnRestart,
    ReadyCheck,
    Resources,
    Restart,
    RestartPolicy,
    UnitSpec,
    Window,
)

SECONDS = st.floats(0, 1e6)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
RESTARTS = st.builds(
    Restart,
    policy=st.sampled_from(RestartPolicy),
    backoff=st.builds(Backoff, SECONDS, SECONDS, SECONDS, SECONDS),
    stable=SECONDS,
    limit=st.builds(Limit, st.integers(0, 100), SECONDS),
    max_age=st.none() | SECONDS,
    window=st.none() | st.builds(Window, st.integers(0, 86399), st.integers(0, 86399)),
)
HOOKS = st.builds(
    Hook, st.lists(TEXT, max_size=2).map(tuple), TEXT, st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple), SECONDS
)
ENDPOINTS = st.builds(Endpoint, TEXT, st.integers(1, 65535), st.booleans())
UNITS = st.builds(
    UnitSpec,
    name=TEXT,
    kind=st.sampled_from(Kind),
    argv=st.lists(TEXT, max_size=3).map(tuple),
    executable=st.none() | st.builds(File, TEXT, TEXT),
    cwd=TEXT,
    env=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    target=st.sampled_from(Level),
    type=st.none() | TEXT,
    files=st.lists(st.builds(File, TEXT, TEXT), max_size=2).map(tuple),
    depends_on=st.lists(
        st.builds(Dependency, TEXT, st.none() | st.sampled_from(Level), st.sampled_from(OnRestart)), max_size=3
    ).map(tuple),
    channel=st.none() | st.builds(Channel, TEXT, TEXT, TEXT),
    streams=st.lists(ENDPOINTS, max_size=2).map(tuple),
    attaches=st.lists(TEXT, max_size=2).map(tuple),
    ready=st.none()
    | st.builds(ReadyCheck, st.none() | ENDPOINTS, st.none() | st.lists(TEXT).map(tuple), st.none() | TEXT),
    health=st.builds(Health, SECONDS, SECONDS, SECONDS),
    restart=RESTARTS,
    grace=SECONDS,
    resources=st.builds(
        Resources,
        cpus=st.none() | st.lists(st.integers(0, 500), max_size=3).map(tuple),
        nice=st.none() | st.integers(-20, 19),
        scheduler=st.none() | st.tuples(TEXT, st.integers(1, 99)),
        timer_slack=st.none() | st.integers(1, 10**9),
        limits=st.lists(st.tuples(TEXT, st.integers(-1, 2**62)), max_size=2).map(tuple),
    ),
    hooks=st.builds(Hooks, st.none() | HOOKS, st.none() | HOOKS),
    external=st.booleans(),
)
NOTIFY = st.builds(Notify, HOOKS, st.lists(st.sampled_from(Alarm), max_size=5).map(tuple))
DEPLOYMENTS = st.builds(Deployment, TEXT, TEXT, TEXT, st.lists(UNITS, max_size=3).map(tuple), st.none() | NOTIFY)

UNIT = UnitSpec(
    name="bf",
    kind=Kind.CONNECTOR,
    argv=("/bin/connector", "bf"),
    executable=File("/bin/connector", "4f1c"),
    cwd="/",
    env=(("RUST_LOG", "info"),),
    target=Level.CONNECTED,
    depends_on=(Dependency("proxy"),),
    resources=Resources(scheduler=("fifo", 10)),
)
STACK = Deployment("prod", "/prod.yaml", "testnet", (UNIT,))


@given(DEPLOYMENTS)
@settings(max_examples=60, derandomize=True, database=None, deadline=None)
def test_what_was_encoded_decodes_to_the_same(stack: Deployment) -> None:
    text = encode(stack)
    assert decode(Deployment, text) == stack
    assert decode(Deployment, text.encode()) == stack
    assert encode(decode(Deployment, text)) == text


def test_the_text_does_not_depend_on_the_order_of_keys() -> None:
    data = plain(STACK)
    turned = dict(reversed(data.items()))
    assert encode(decode(Deployment, json.dumps(turned))) == encode(STACK)


def test_the_text_is_one_line_without_white_space_between_tokens() -> None:
    assert encode(Endpoint("höst", 1)) == '{"host":"höst","port":1,"shared":false}'


def test_a_field_at_its_default_is_written_and_may_be_left_out() -> None:
    data = plain(STACK)
    assert data["units"][0]["grace"] == 5.0
    for key in ("grace", "restart", "health", "channel", "ready", "files"):
        del data["units"][0][key]
    assert build(Deployment, data) == STACK


def test_a_whole_number_is_a_float_where_one_is_asked_for() -> None:
    health = decode(Health, '{"startup":10,"interval":1,"stale_after":30}')
    assert health == Health(10.0, 1.0, 30.0)
    assert isinstance(health.startup, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "/extra: unknown key"),
        ({"stack": None}, "/stack: expected str, found NoneType"),
        ({"stack": 7}, "/stack: expected str, found int"),
        ({"format": "1"}, "/format: expected int, found str"),
        ({"format": True}, "/format: expected int, found bool"),
        ({"format": 1.0}, "/format: expected int, found float"),
        ({"units": {}}, "/units: expected a list, found dict"),
        ({"units": "x"}, "/units: expected a list, found str"),
        ({"units": [None]}, "/units/0: expected an object, found NoneType"),
    ],
)
def test_a_wrong_shape_is_named_with_its_place(change: dict[str, object], message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        build(Deployment, plain(STACK) | change)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "robot"}, "/units/0/kind: expected one of connector, service, bot, found str"),
        ({"kind": ["bot"]}, "/units/0/kind: expected one of connector, service, bot, found list"),
        ({"argv": [1]}, "/units/0/argv/0: expected str, found int"),
        ({"env": [["A"]]}, "/units/0/env/0: expected a list of 2, found list"),
        ({"env": [["A", "1", "2"]]}, "/units/0/env/0: expected a list of 2, found list"),
        ({"grace": "5s"}, "/units/0/grace: expected float, found str"),
        ({"grace": True}, "/units/0/grace: expected float, found bool"),
        ({"grace": None}, "/units/0/grace: expected float, found NoneType"),
        ({"channel": {"name": "bf", "roof": "/"}}, "/units/0/channel/roof: unknown key"),
        ({"channel": {}}, "/units/0/channel/name: missing"),
        ({"resources": {"cpus": 3}}, "/units/0/resources/cpus: expected a list, found int"),
        ({"resources": {"scheduler": ["fifo", "10"]}}, "/units/0/resources/scheduler/1: expected int, found str"),
        ({"depends_on": [{"unit": "a", "condition": "up"}]}, "/units/0/depends_on/0/condition: expected one of"),
        ({"external": 1}, "/units/0/external: expected bool, found int"),
        ({"restart": {"window": {"begin": 0}}}, "/units/0/restart/window/end: missing"),
        ({"restart": {"on_limit": "stop"}}, "/units/0/restart/on_limit: expected one of"),
        ({"hooks": {"on_failed": ["/bin/true"]}}, "/units/0/hooks/on_failed: expected an object, found list"),
    ],
)
def test_a_wrong_shape_of_a_unit_is_named_with_its_place(change: dict[str, object], message: str) -> None:
    data = plain(STACK)
    data["units"][0] |= change
    with pytest.raises(DecodeError) as caught:
        build(Deployment, data)
    assert str(caught.value).startswith(message)


def test_an_alarm_that_nobody_knows_is_named_with_its_place() -> None:
    hook = {"argv": ["/bin/true"], "cwd": "/", "env": [], "timeout": 5.0}
    with pytest.raises(DecodeError, match=r"^/notify/on/0: expected one of stale, failed, gap, unclean, unsupervised"):
        build(Deployment, plain(STACK) | {"notify": {"hook": hook, "on": ["blind"]}})


def test_a_deployment_written_before_external_hooks_and_notify_were_known_still_decodes() -> None:
    data = plain(STACK)
    del data["notify"]
    for key in ("external", "hooks"):
        del data["units"][0][key]
    for key in ("max_age", "window"):
        del data["units"][0]["restart"][key]
    assert build(Deployment, data) == STACK


def test_a_missing_key_is_named() -> None:
    data = plain(STACK)
    del data["units"][0]["argv"]
    with pytest.raises(DecodeError, match=r"^/units/0/argv: missing$"):
        build(Deployment, data)


@pytest.mark.parametrize(
    "text", ["", "{", "nothing", '{"a":1}x', "[" * 200_000, '"' + "\\ud800", b"\xff\xfe{", b"{\xc3\x28}"]
)
def test_garbage_is_a_decode_error(text: str | bytes) -> None:
    with pytest.raises(DecodeError, match=r"^/: not JSON"):
        decode(Deployment, text)


@pytest.mark.parametrize("text", ["null", "[]", "1", '"x"', "true"])
def test_json_that_is_no_object_is_a_decode_error(text: str) -> None:
    with pytest.raises(DecodeError, match=r"^/: expected an object"):
        decode(Deployment, text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["stack", "file", "network", "units", "name", "kind"]) | TEXT, inner, max_size=4), max_leaves=12))  # fmt: skip  # noqa: E501 - one strategy
@settings(max_examples=200, derandomize=True, database=None, deadline=None)
def test_no_data_raises_anything_but_a_decode_error(data: object) -> None:
    with pytest.raises(DecodeError):
        build(Deployment, data)


def test_a_number_too_large_for_a_float_is_a_decode_error() -> None:
    with pytest.raises(DecodeError, match=r"^/startup: "):
        decode(Health, f'{{"startup":1{"0" * 400}}}')


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_a_decode_error(number: str) -> None:
    with pytest.raises(DecodeError, match=r"^/(startup)?: "):
        decode(Health, f'{{"startup":{number}}}')


@dataclass(frozen=True)
class Counts:
    """A mapping from names, as the records on disk use it."""

    by_name: dict[str, Limit]


def test_a_mapping_of_objects_survives_the_round_trip() -> None:
    counts = Counts({"bf": Limit(3), "by": Limit(4, 5.0)})
    assert decode(Counts, encode(counts)) == counts
    with pytest.raises(DecodeError, match=r"^/by_name/bf/restarts: expected int, found str$"):
        build(Counts, {"by_name": {"bf": {"restarts": "3"}}})
    with pytest.raises(DecodeError, match=r"^/by_name: expected an object, found list$"):
        build(Counts, {"by_name": []})


def test_two_deployments_that_differ_have_different_texts() -> None:
    other = replace(STACK, units=(replace(UNIT, grace=6.0),))
    assert encode(other) != encode(STACK)
