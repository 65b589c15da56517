"""The scalar types of a stack file: how each is written, and what it becomes.

A validator's message completes the sentence "VALUE ...": who reports it knows the text and whether it may be shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from orchestrator.deployment.model import Alarm, Endpoint, Quiet, Window
from orchestrator.stack import durations, sizes

if TYPE_CHECKING:
    from collections.abc import Callable

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_NAME: Final = re.compile(NAME_PATTERN[1:-1])
_ENV_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_-]*")
_FEATURE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_+.-]*)?")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_GIT_SCHEMES: Final = ("https", "ssh", "git", "http", "file")
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_CARGO_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SCHEDULER: Final = re.compile(r"(fifo|rr):([1-9][0-9]?)|(other|batch|idle)")
_TCP: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):([0-9]{1,5})")
_LAST_PORT: Final = 65535
_MOST_PATTERN: Final = 1024
"""Characters of a regular expression, which takes the longer to be compiled the longer it is."""
_WINDOW: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9]) UTC")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY: Final = 86_400
_WEEK: Final = 7 * _DAY
_WEEKLY: Final = re.compile("({0}) {1}-({0}) {1} UTC".format("|".join(_DAYS), "([01][0-9]|2[0-3]):([0-5][0-9])"))
_DURATION_HINT: Final = "write it as 250ms, 10s, 5m or 1m30s; the units are ns, us, ms, s, m, h, d"
_SIZE_HINT: Final = "write it as 16MiB, 1.5GB or 512B; the units are B, kB, MB, GB, KiB, MiB, GiB"

RESERVED_ENV: Final = {
    "HFTSTACK_UNIT": "remove it: hftstack marks its units with this variable",
    "HFTBACKTEST_CHANNEL_CONFIG": "use the stack's channel: {buffer_size: .., max_bots: ..}, the same for all units",
}
"""Variables that a stack may not set, each with what to do instead."""


def fault(rule: str, message: str, hint: str | None = None) -> PydanticCustomError:
    """Return the error of rule `rule`; `message` completes "VALUE ...", `hint` says what to write instead."""
    return PydanticCustomError(
        rule,
        message,
        {"hint": hint} if hint is not None else None,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value


def is_name(text: str) -> bool:
    """Tell whether a unit or a stack may have this name."""
    return _NAME.fullmatch(text) is not None


def _name(text: str) -> str:
    if not is_name(text):
        raise fault(
            "name",
            "is not a name",
            "use at most 64 letters, digits, '_', '.' and '-', with a letter or digit first",
        )
    return text


def _version(value: object) -> int:
    if type(value) is not int or value != 1:
        raise fault("version", "is not a version that this hftstack reads", "write version: 1")
    return value


def _env_key(text: str) -> str:
    if _ENV_KEY.fullmatch(text) is None:
        raise fault("env-key", "is not the name of a variable", "use letters, digits and '_', no digit first")
    if text in RESERVED_ENV:
        raise fault("env-reserved", "is set by hftstack itself", RESERVED_ENV[text])
    return text


def _credential(text: str) -> str:
    if _CREDENTIAL.fullmatch(text) is None:
        raise fault("secret-source", "is not the name of a credential", "use letters, digits, '_', '.' and '-'")
    return text


def _git_url(text: str) -> str:
    scheme, separator, _ = text.partition("://")
    if not text or text.startswith("-") or any(not character.isprintable() for character in text) or "::" in text:
        raise fault("source-git", "is no repository", "write https://HOST/PATH, USER@HOST:PATH or a folder")
    if separator and scheme not in _GIT_SCHEMES:
        raise fault("source-git", "has a scheme that git is not asked for", f"use one of {', '.join(_GIT_SCHEMES)}")
    if separator and not is_public_url(text):
        raise fault("source-git", "may hold a password", "remove it, and use a credential helper of git's, or ssh")
    return text


def is_public_url(text: str) -> bool:
    """Tell whether a repository's URL holds nothing that could be a password: of a user only his name, with ssh."""
    scheme, _, rest = text.partition("://")
    user = rest.partition("/")[0].rpartition("@")[0]
    named = scheme == "ssh" and ":" not in user
    return (not user or named) and not {"?", "#"} & set(rest)


def _git_commit(text: str) -> str:
    if _COMMIT.fullmatch(text) is None:
        raise fault("source-rev", "is not a commit in full", "write its 40 hexadecimal digits: git rev-parse COMMIT")
    return text


def _connector_type(text: str) -> str:
    if _TYPE.fullmatch(text) is None:
        raise fault(
            "type", "is not a connector type", "use what the connector program calls it, such as binancefutures"
        )
    return text


def _feature(text: str) -> str:
    if _FEATURE.fullmatch(text) is None:
        raise fault("feature", "is not a cargo feature", "name one feature of the connector's Cargo.toml an item")
    return text


def _cargo_name(text: str) -> str:
    if _CARGO_NAME.fullmatch(text) is None:
        raise fault("cargo-name", "is not a cargo name", "use letters, digits, '_' and '-'")
    return text


def _path(value: object) -> Path:
    text = _text(value)
    if not text:
        raise fault("path", "is no path", "give a path relative to the stack file, or an absolute one")
    if text.startswith("~"):
        raise fault("path", "starts with ~, which is not expanded", "write ${HOME} for the home folder")
    return Path(text)


def _config(value: object) -> str | dict[str, object]:
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        _path(value)
        return value
    raise fault("config", "is neither a path nor a table", "give a TOML file's path, or the table itself")


def _argument(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict) or value is None:
        raise PydanticKnownError("string_type")
    raise fault("argument", "is not text", "put it in quotes: every argument is text")


def _program(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not argv or not argv[0]:
        raise fault("command", "names no program", "write [program, argument, ...]")
    return argv


def _regular_expression(value: object) -> str:
    text = _text(value)
    if len(text) > _MOST_PATTERN:
        raise fault(
            "log-pattern", f"is longer than {_MOST_PATTERN} characters", "give a part of the line that says ready"
        )
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError):
        raise fault("log-pattern", "is not a regular expression", "see Python's re; escape ( ) [ ] with \\") from None
    if not text:
        raise fault("log-pattern", "is empty and would match any line", "give the text of the line that says ready")
    return text


def _endpoint(value: object) -> Endpoint:
    match = _TCP.fullmatch(_text(value))
    if match is None or not 0 < int(match[3]) <= _LAST_PORT:
        raise fault("address", "is not HOST:PORT", 'write "127.0.0.1:3128" or "[::1]:3128"')
    return Endpoint(host=match[1] or match[2], port=int(match[3]))


def _scheduler(value: object) -> tuple[str, int]:
    match = _SCHEDULER.fullmatch(_text(value))
    if match is None:
        raise fault(
            "scheduler", "is not a scheduler", 'write "fifo:1" to "fifo:99", "rr:1" to "rr:99", other, batch or idle'
        )
    return (match[1], int(match[2])) if match[1] else (match[3], 0)


def _resource_limit(value: object) -> int:
    if value == "unlimited":
        return -1
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise fault("limit", "is not a limit", "give a whole number of at least 0, or unlimited")


def _cpus(cores: tuple[int, ...]) -> tuple[int, ...]:
    if not cores:
        raise fault("cpus", "names no core", "remove it to run on all cores")
    if len(set(cores)) != len(cores):
        raise fault("cpus", "names a core twice", "name each core once")
    return cores


def _window(value: object) -> Window:
    text = _text(value)
    match = _WINDOW.fullmatch(text)
    if match is None:
        named = f"{text[:11]} UTC"
        zoneless = text != named and _WINDOW.fullmatch(named)
        hint = f'name the zone: "{named}"' if zoneless else 'write "03:00-04:00 UTC", hours from 00 to 23'
        raise fault("window", "is not a part of the day", hint)
    begin, end = (int(match[i]) * 3600 + int(match[i + 1]) * 60 for i in (1, 3))
    if begin == end:
        raise fault("window", "ends where it begins", "remove it to restart at any time")
    return Window(begin, end)


def _quiet(value: object) -> tuple[Quiet, ...]:
    text = _text(value)
    weekly, daily = _WEEKLY.fullmatch(text), _WINDOW.fullmatch(text)
    if weekly is not None:
        begin, end = _of_week(weekly[1], weekly[2], weekly[3]), _of_week(weekly[4], weekly[5], weekly[6])
        found: tuple[Quiet, ...] = (Quiet(begin, end),)
    elif daily is not None:
        begin, end = _of_week("Mon", daily[1], daily[2]), _of_week("Mon", daily[3], daily[4])
        last = end if end > begin else end + _DAY
        found = tuple(Quiet(day * _DAY + begin, (day * _DAY + last) % _WEEK) for day in range(len(_DAYS)))
    else:
        hint = 'write "Fri 21:00-Sun 22:00 UTC", or "03:00-04:00 UTC" for every day, hours from 00 to 23'
        raise fault("quiet", "is not a part of the week", hint)
    if begin == end:
        raise fault("quiet", "ends where it begins", "with on_stale: alert nothing is restarted for silence, ever")
    return found


def _of_week(day: str, hour: str, minute: str) -> int:
    return _DAYS.index(day) * _DAY + int(hour) * 3600 + int(minute) * 60


def _quiet_text(quiet: tuple[Quiet, ...]) -> str:
    begin, end = quiet[0].begin, quiet[0].end
    if len(quiet) > 1:
        return f"{_clock(begin)}-{_clock(end % _DAY)} UTC"
    return f"{_DAYS[begin // _DAY]} {_clock(begin % _DAY)}-{_DAYS[end // _DAY]} {_clock(end % _DAY)} UTC"


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second % 3600 // 60:02}"


def _alarms(alarms: tuple[Alarm, ...]) -> tuple[Alarm, ...]:
    if not alarms:
        raise fault("alarms", "names nothing to tell", "remove it to be told everything")
    if len(set(alarms)) != len(alarms):
        raise fault("alarms", "names something twice", "name each once")
    return alarms


def _nanoseconds(value: object, at_least: str, at_most: str) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise fault("duration", "is a number, not a duration", f"add the unit: {value}s or {value}ms")
    if not isinstance(value, str):
        raise fault("duration", "is not a duration", _DURATION_HINT)
    try:
        result = durations.parse(value)
    except ValueError:
        raise fault("duration", "is not a duration", _DURATION_HINT) from None
    if result < durations.parse(at_least):
        raise fault("duration-range", f"is shorter than {at_least}", f"write at least {at_least}")
    if result > durations.parse(at_most):
        raise fault("duration-range", f"is longer than {at_most}", f"write at most {at_most}")
    return result


_DurationText = Annotated[str, Field(pattern=durations.PATTERN)]


@dataclass(frozen=True, slots=True)
class _Duration:
    """A duration that becomes a number, `unit` nanoseconds each; as JSON it is text again."""

    validate: Callable[[object], float]
    unit: float

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        validator = PlainValidator(self.validate, json_schema_input_type=_DurationText)
        schema = validator.__get_pydantic_core_schema__(source, handler)
        serialization = core_schema.plain_serializer_function_ser_schema(self._text, when_used="json")
        return {**schema, "serialization": serialization}

    def _text(self, number: float) -> str:
        return durations.render(round(number * self.unit))


def seconds(at_least: str = "0s", at_most: str = "366d") -> _Duration:
    """Return the type of a duration that becomes seconds."""
    return _Duration(lambda value: _nanoseconds(value, at_least, at_most) / 1e9, 1e9)


def nanoseconds(at_least: str = "0s", at_most: str = "366d") -> _Duration:
    """Return the type of a duration that becomes nanoseconds."""
    return _Duration(lambda value: _nanoseconds(value, at_least, at_most), 1)


def _bytes(value: object, at_least: str, at_most: str) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise fault("size", "is a number, not a size", f"add the unit: {value}MiB or {value}B")
    if not isinstance(value, str):
        raise fault("size", "is not a size", _SIZE_HINT)
    try:
        result = sizes.parse(value)
    except ValueError:
        raise fault("size", "is not a size", _SIZE_HINT) from None
    if result < sizes.parse(at_least):
        raise fault("size-range", f"is less than {at_least}", f"write at least {at_least}")
    if result > sizes.parse(at_most):
        raise fault("size-range", f"is more than {at_most}", f"write at most {at_most}")
    return result


_SizeText = Annotated[str, Field(pattern=sizes.PATTERN)]


@dataclass(frozen=True, slots=True)
class Size:
    """A size that becomes bytes; as JSON it is text again."""

    at_least: str
    at_most: str

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        validator = PlainValidator(self._validate, json_schema_input_type=_SizeText)
        schema = validator.__get_pydantic_core_schema__(source, handler)
        serialization = core_schema.plain_serializer_function_ser_schema(sizes.render, when_used="json")
        return {**schema, "serialization": serialization}

    def _validate(self, value: object) -> int:
        return _bytes(value, self.at_least, self.at_most)


def _pattern(expression: re.Pattern[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{expression.pattern})$"})


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})]
Version = Annotated[int, PlainValidator(_version, json_schema_input_type=Literal[1])]
EnvKey = Annotated[str, AfterValidator(_env_key), _pattern(_ENV_KEY)]
GitUrl = Annotated[str, AfterValidator(_git_url), Field(min_length=1)]
GitCommit = Annotated[str, AfterValidator(_git_commit), _pattern(_COMMIT)]
CredentialName = Annotated[str, AfterValidator(_credential), _pattern(_CREDENTIAL)]
ConnectorType = Annotated[str, AfterValidator(_connector_type), _pattern(_TYPE)]
Feature = Annotated[str, AfterValidator(_feature), _pattern(_FEATURE)]
CargoName = Annotated[str, AfterValidator(_cargo_name), _pattern(_CARGO_NAME)]
FilePath = Annotated[Path, PlainValidator(_path, json_schema_input_type=Annotated[str, Field(min_length=1)])]
ConfigValue = Annotated[
    str | dict[str, object],
    PlainValidator(_config, json_schema_input_type=Annotated[str, Field(min_length=1)] | dict[str, object]),
]
Argument = Annotated[str, PlainValidator(_argument, json_schema_input_type=str)]
Arguments = Annotated[tuple[Argument, ...], Field(strict=False)]
Command = Annotated[
    tuple[Argument, ...], Field(strict=False, json_schema_extra={"minItems": 1}), AfterValidator(_program)
]
RegularExpression = Annotated[
    str,
    PlainValidator(
        _regular_expression,
        json_schema_input_type=Annotated[str, Field(min_length=1, max_length=_MOST_PATTERN)],
    ),
]
TcpEndpoint = Annotated[
    Endpoint,
    PlainValidator(_endpoint, json_schema_input_type=Annotated[str, Field(pattern=r":[0-9]{1,5}$")]),
    PlainSerializer(
        lambda endpoint: f"{f'[{endpoint.host}]' if ':' in endpoint.host else endpoint.host}:{endpoint.port}",
        return_type=str,
    ),
]
Scheduler = Annotated[
    tuple[str, int],
    PlainValidator(
        _scheduler,
        json_schema_input_type=Annotated[str, Field(pattern=r"^((fifo|rr):[1-9][0-9]?|other|batch|idle)$")],
    ),
    PlainSerializer(
        lambda scheduler: f"{scheduler[0]}:{scheduler[1]}" if scheduler[1] else scheduler[0],
        return_type=str,
        when_used="json",
    ),
]
Cpus = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    Field(strict=False, json_schema_extra={"minItems": 1, "uniqueItems": True}),
    AfterValidator(_cpus),
]
QuietHours = Annotated[
    tuple[Quiet, ...],
    PlainValidator(
        _quiet, json_schema_input_type=Annotated[str, Field(pattern=f"^({_WEEKLY.pattern}|{_WINDOW.pattern})$")]
    ),
    PlainSerializer(_quiet_text, return_type=str),
]
DailyWindow = Annotated[
    Window,
    PlainValidator(_window, json_schema_input_type=Annotated[str, Field(pattern=f"^{_WINDOW.pattern}$")]),
    PlainSerializer(
        lambda window: f"{_clock(window.begin)}-{_clock(window.end)} UTC",
        return_type=str,
    ),
]
Alarms = Annotated[
    tuple[Annotated[Alarm, Field(strict=False)], ...],
    Field(strict=False, json_schema_extra={"minItems": 1, "uniqueItems": True}),
    AfterValidator(_alarms),
]
LimitName = Literal[
    "as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile",
    "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
]  # fmt: skip
"""Linux's resource limits, without RLIMIT_; setrlimit(2)."""
ResourceLimit = Annotated[
    int,
    PlainValidator(_resource_limit, json_schema_input_type=Annotated[int, Field(ge=0)] | Literal["unlimited"]),
    PlainSerializer(lambda limit: "unlimited" if limit < 0 else limit, when_used="json"),
]
