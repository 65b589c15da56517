"""The rules of this room. Each has a page, docs/rules/ID.md, and a bad fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.stack import ruleset as stack_rules

if TYPE_CHECKING:
    from orchestrator.errors import Severity


class Rule(NamedTuple):
    """A rule: what it says in a few words, and whether a unit's `ignore:` may name it."""

    id: str
    title: str
    severity: Severity = "error"
    ignorable: bool = False


_RULES: Final = (
    Rule("unknown-type", "A connector's type is not one that hftstack knows", "warning", ignorable=True),
    Rule("misspelt-type", "A connector's type is all but one that hftstack knows", ignorable=True),
    Rule("connector-place", "A service or a bot runs a connector, which no rule of connectors judges then"),
    Rule("url", "A URL is not one that every reader understands alike"),
    Rule("url-scheme", "A URL has the wrong scheme for what it is"),
    Rule("url-end", "A URL that paths are added to ends with a slash or a query"),
    Rule("unknown-host", "A host is no exchange's, and allow_hosts does not name it"),
    Rule("network-mismatch", "A URL belongs to another network than the stack"),
    Rule("wrong-endpoint", "A URL leads to another venue or endpoint than its key is for"),
    Rule("allow-hosts", "An item of allow_hosts is not a host"),
    Rule("allow-hosts-unused", "An item of allow_hosts allows nothing", "warning"),
    Rule("demo-trade", "A keyed demo connector trades through Bybit's mainnet host", "warning", ignorable=True),
    Rule("plain-keys", "Keys travel without encryption", "warning", ignorable=True),
    Rule("order-prefix", "An order prefix is too long or has a character that the exchange refuses"),
    Rule("key-text", "A key or secret holds what no key holds"),
    Rule("half-keyed", "Only one of api_key and secret is given"),
    Rule("secret-kind", "A secret is of another kind than the connector signs with"),
    Rule("ws-api-url", "A keyed spot connector has no ws_api_url"),
    Rule("category", "A Bybit connector's category does not agree with its stream"),
    Rule("shared-prefix", "Connectors on one account have overlapping order prefixes", ignorable=True),
    Rule("empty-prefix", "A keyed connector has no order prefix", "warning", ignorable=True),
    Rule("late-max-age", "A max_age comes after the exchange has closed the stream", "warning", ignorable=True),
    Rule("shared-core", "Two units are pinned to one core", "warning", ignorable=True),
    Rule("single-core", "A connector is pinned to a single core", "warning", ignorable=True),
    Rule("too-many-bots", "More bots attach to a channel than it can hold", ignorable=True),
    Rule("channel-settings", "A unit has channel settings of its own"),
    Rule("sim-bot", "A simulated bot depends on a real connector", ignorable=True),
    Rule("ignore", "An ignore names no rule, a rule that nobody may ignore, or no reason"),
    Rule("ignore-unused", "An ignore ignores nothing", "warning"),
)

RULES: Final = {rule.id: rule for rule in _RULES}


def titles() -> dict[str, str]:
    """Return what each rule of a stack file means, in a sentence: those of this room and of `stack`."""
    return {**stack_rules.RULES, **{rule.id: f"{rule.title}." for rule in _RULES}}
