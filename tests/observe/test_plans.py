"""A plan as people read it: as text, and as Markdown in a pull request."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from orchestrator.deployment.changes import Change
from orchestrator.deployment.model import Kind
from orchestrator.deployment.plan import Action, Blackout, Plan, Process, Step
from orchestrator.observe.plans import lines, markdown

DIGEST: Final = "022f1ef2" * 8
BF: Final = Step(
    "bf",
    Kind.CONNECTOR,
    Action.CHANGE,
    Process.RESTARTS,
    "changed: config",
    (Change("config.rate", "1", "2", restarts=True), Change("grace", "5.0", None, restarts=False)),
    grace=5.0,
    dark=True,
    cancels=True,
    blackout=Blackout(0.1, 0.25, 3),
)
MM: Final = Step("mm", Kind.BOT, Action.RESTART, Process.RESTARTS, "bf restarts", grace=60.0, dark=True)
REST: Final = Step("rest", Kind.SERVICE, Action.KEEP, Process.RUNS)
PLAN: Final = Plan("s", "/s.yaml", "testnet", "0", "1", (BF, MM, REST))


def _head(step: Step) -> str:
    return list(lines(replace(PLAN, steps=(step,))))[1]


def test_it_reads_unit_by_unit_change_by_change_effect_by_effect() -> None:
    assert list(lines(replace(PLAN, notes=("binaries are of an earlier build",)), DIGEST)) == [
        "s  testnet",
        "~ bf  connector  change, restarts",
        "    config.rate: 1 -> 2",
        "    grace: 5.0 -> (none)  (in place)",
        "    => its channel goes dark for about 0.10 s (at worst 0.25 s, seen 3 times)",
        "    => each symbol that a bot registers has its open orders cancelled, those of other programs too",
        "    => its stop may take 5.0 s",
        "~ mm  bot  restart, restarts: bf restarts",
        "    => it is without data meanwhile",
        "    => its stop may take 1m00s",
        "note: binaries are of an earlier build",
        "1 to change, 1 to restart, 1 kept; channels that go dark: bf; bots on them: mm.  plan 022f1ef2",
    ]


SETTINGS: Final = (
    Change("rollback", "true", "false", restarts=False),
    Change("notify.command", "/x #1|2", None, restarts=False),
)


def test_what_changes_besides_the_units_stands_before_them() -> None:
    assert list(lines(replace(PLAN, steps=(REST,), settings=SETTINGS))) == [
        "s  testnet",
        "~ settings",
        "    rollback: true -> false",
        "    notify.command: /x #1|2 -> (none)",
        "2 settings to change, 1 kept.",
    ]
    assert list(markdown(replace(PLAN, steps=(REST,), settings=SETTINGS))) == [
        "### s (testnet): 2 settings to change, 1 kept",
        "",
        "| unit | what | change | effect |",
        "|---|---|---|---|",
        (
            "| (settings) | change | <code>rollback: true -&gt; false</code><br><code>notify.command: /x #1&#124;2 "
            "-&gt; (none)</code> | |"
        ),
    ]
    assert list(lines(replace(PLAN, steps=(), settings=SETTINGS[:1])))[-1] == "1 setting to change, no units."


def test_what_nothing_is_known_of_and_what_ends_for_good_is_said() -> None:
    unknown, removed = replace(BF, blackout=None), replace(BF, process=Process.STOPS, action=Action.REMOVE)
    told = list(lines(replace(PLAN, steps=(unknown, removed, replace(MM, process=Process.RUNS)))))

    assert "    => its channel goes dark for a time not known from this machine's history" in told
    assert "    => its channel goes dark for good" in told
    assert "    => it loses its channel" in told


def test_each_fate_of_a_process_has_its_words() -> None:
    plain = replace(REST, action=Action.ADD)

    assert [_head(replace(plain, process=process)).split(", ")[1] for process in Process] == [
        "starts",
        "restarts",
        "is stopped",
        "runs on",
        "stays down",
        "runs by itself",
    ]


def test_in_markdown_no_text_of_the_stack_is_markup() -> None:
    evil = replace(
        BF, unit="a|b", changes=(Change("argv", None, "`</code>|\n@all", restarts=True),), cancels=False, dark=False
    )
    told = list(markdown(replace(PLAN, stack="s_*", steps=(evil,), notes=("ignored: [x](y) <b>",)), DIGEST))

    assert told == [
        "### s\\_\\* (testnet): 1 to change",
        "",
        "| unit | what | change | effect |",
        "|---|---|---|---|",
        "| <code>a&#124;b</code> | change (restarts) | <code>argv: (none) -> &#96;&lt;/code&gt;&#124; @all</code> |"
        " its stop may take 5.0 s |".replace("(none) -> ", "(none) -&gt; "),
        "",
        "- ignored: \\[x\\](y) &lt;b&gt;",
        "- plan <code>022f1ef2</code>",
    ]


def test_markdown_without_steps_and_notes_is_a_headline() -> None:
    assert list(markdown(replace(PLAN, steps=(REST,)))) == ["### s (testnet): nothing to change, 1 kept"]
