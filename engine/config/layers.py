"""Where settings come from and who wins.

defaults ← shipped `config/*.yaml` ← user file ← per-symbol ← mode overlay ← `INTERLOCK_*` ← command line.
Objects merge deep, arrays are replaced whole. Anything unknown or unreadable is an error: running on
defaults because a file could not be read is how a desk trades with the wrong limits.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

import config
from engine.config.settings import ConfigError, Settings
from seams.disk import Disk, RealDisk

Tree = dict[str, object]
PREFIX = "INTERLOCK_"
OVERRIDES = "strategy_overrides.yaml"
_SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The library's fast reader where it was built with one: a start spends most of its time in the slow one."""
MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class Layer:
    """One source of values: keys already canonical (snake_case), `origin` for messages."""

    origin: str
    values: Tree


@dataclass(frozen=True)
class Loaded:
    """Settings with the origin of every dotted key; `effective(symbol)` adds the per-symbol layer."""

    settings: Settings
    origins: dict[str, str]
    files: tuple[Path, ...]
    below: tuple[Layer, ...] = field(repr=False)
    symbols: tuple[tuple[str, Layer], ...] = field(repr=False)
    above: tuple[Layer, ...] = field(repr=False)

    def effective(self, symbol: str) -> Settings:
        """Return the settings for one symbol. Raises `ConfigError` when the result is invalid."""
        own = tuple(layer for name, layer in self.symbols if name == symbol)
        return _build((*self.below, *own, *self.above))[0]


def load_settings(
    home: Path,
    environ: Mapping[str, str] | None = None,
    cli: Mapping[str, object] | None = None,
    disk: Disk | None = None,
) -> Loaded:
    """Read every layer and return the settings with their origins.

    `cli` maps dotted keys to values (`{"risk.max_open_orders": 5}`). Raises `ConfigError` for an unknown
    key, a bad value, or a file that is missing (when named) or cannot be read.
    """
    environ, disk = environ or {}, disk or RealDisk()
    shipped = Path(config.__file__).parent
    required = [shipped / name for name in disk.list(shipped) if _is_loaded(name)]
    user, is_named = user_file(home, environ)
    optional = [path for path in (user, home / "config" / OVERRIDES) if disk.exists(path)]
    if is_named and user not in optional:
        raise ConfigError(f"configuration file {user} does not exist", origin=str(user))
    below: list[Layer] = []
    symbols: list[tuple[str, Layer]] = []
    modes: list[tuple[str, Layer]] = []
    files = tuple(dict.fromkeys((*required, *optional)))
    for path in files:
        tree = read_tree(path, disk)
        symbols += _named(tree.pop("symbols", {}), "symbols", str(path))
        modes += _named(tree.pop("modes", {}), "modes", str(path))
        below.append(Layer(str(path), canonical(tree, Settings, str(path))))
    last = [_from_environ(environ), _from_cli(cli or {})]
    overlay = _build((*below, *last))[0].engine.overlay
    if overlay and overlay not in {name for name, _ in modes}:
        raise ConfigError(f"engine.overlay names no mode: {overlay!r}", key="engine.overlay")
    above = (*(layer for name, layer in modes if name == overlay), *last)
    settings, origins = _build((*below, *above))
    loaded = Loaded(settings, origins, files, tuple(below), tuple(symbols), tuple(above))
    for name in {name for name, _ in symbols}:
        loaded.effective(name)
    return loaded


def user_file(home: Path, environ: Mapping[str, str]) -> tuple[Path, bool]:
    """Return the user's file and whether it was named (then it must exist)."""
    named = environ.get("INTERLOCK_CONFIG") or environ.get("AQTS_CONFIG") or ""
    return (Path(named).expanduser(), True) if named else (home / "config" / "interlock.yaml", False)


def read_tree(path: Path, disk: Disk) -> Tree:
    """Read a YAML or JSON object. Raises `ConfigError` naming the file."""
    try:
        data = disk.read(path)
        if len(data) > MAX_FILE_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_FILE_BYTES} bytes", origin=str(path))
        text = data.decode()
        tree = json.loads(text) if path.suffix == ".json" else yaml.load(text, _SAFE)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", origin=str(path)) from error
    except (UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not valid YAML or JSON: {_where(error)}", origin=str(path)) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold an object of settings", origin=str(path))
    return tree


def canonical(tree: Mapping[str, object], model: type[BaseModel], origin: str, prefix: str = "") -> Tree:
    """Return the tree with snake_case keys; refuse keys the model does not know."""
    result: Tree = {}
    for given, value in tree.items():
        name = snake(str(given))
        dotted = f"{prefix}{name}"
        if name not in model.model_fields:
            raise _unknown(f"{prefix}{given}", name, model, origin)
        inner = model.model_fields[name].annotation
        if value is None:
            continue
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if not isinstance(value, dict):
                raise ConfigError(f"{dotted} must be an object ({origin})", key=dotted, origin=origin)
            result[name] = canonical(value, inner, origin, f"{dotted}.")
        else:
            result[name] = value
    return result


def merge(base: Mapping[str, object], over: Mapping[str, object]) -> Tree:
    """Merge objects deep; anything else, arrays too, is replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            result[key] = merge(below, value)
        else:
            result[key] = value
    return result


def flatten(tree: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Return leaf values by dotted key."""
    leaves: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            leaves |= flatten(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def snake(name: str) -> str:
    """Return a key in snake_case: `maxSlippageBps` → `max_slippage_bps`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _build(layers: tuple[Layer, ...]) -> tuple[Settings, dict[str, str]]:
    tree: Tree = {}
    origins: dict[str, str] = {}
    for layer in layers:
        tree = merge(tree, layer.values)
        origins |= dict.fromkeys(flatten(layer.values), layer.origin)
    # Nested defaults (feeds) merge too: a file that changes one feed keeps the others.
    defaults = _defaults()
    try:
        settings = Settings.model_validate(merge(defaults, tree))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(snake(str(part)) for part in first["loc"])
        origin = next((o for k, o in origins.items() if k == key or key.startswith(f"{k}.")), "defaults")
        raise ConfigError(f"{key}: {first['msg']} ({origin})", key=key, origin=origin) from error
    known = dict.fromkeys(flatten(settings.model_dump(mode="json")), "defaults")
    return settings, known | {key: origin for key, origin in origins.items() if key in known}


def _defaults() -> Tree:
    return Settings().model_dump(mode="json")


def _named(tree: object, section: str, origin: str) -> list[tuple[str, Layer]]:
    if not isinstance(tree, dict):
        raise ConfigError(f"{section} must be an object ({origin})", key=section, origin=origin)
    layers = []
    for name, values in tree.items():
        label = f"{origin}#{section}.{name}"
        if not isinstance(values, dict):
            raise ConfigError(f"{section}.{name} must be an object ({origin})", key=section, origin=origin)
        layers.append((str(name), Layer(label, canonical(values, Settings, label))))
    return layers


def _from_environ(environ: Mapping[str, str]) -> Layer:
    """Read `INTERLOCK_BLOCK__KEY`; names without a double underscore are not settings,
    but for `INTERLOCK_MODE`, the short name of `engine.mode` (OC-02)."""
    values: Tree = {}
    if environ.get("INTERLOCK_MODE"):
        mode = {"engine": {"mode": environ["INTERLOCK_MODE"]}}
        values = canonical(mode, Settings, "INTERLOCK_MODE")
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or "__" not in variable:
            continue
        path = variable[len(PREFIX) :].lower().split("__")
        try:
            value = yaml.load(environ[variable], _SAFE)
        except yaml.YAMLError as error:
            raise ConfigError(f"{variable} is not a valid value", origin=variable) from error
        values = merge(values, canonical(_nest(path, value), Settings, variable))
    return Layer("environment", values)


def _from_cli(cli: Mapping[str, object]) -> Layer:
    values: Tree = {}
    for dotted, value in cli.items():
        values = merge(values, canonical(_nest(dotted.split("."), value), Settings, "command line"))
    return Layer("command line", values)


def _nest(path: list[str], value: object) -> Tree:
    tree: object = value
    for part in reversed(path):
        tree = {part: tree}
    assert isinstance(tree, dict)
    return tree


def _unknown(dotted: str, name: str, model: type[BaseModel], origin: str) -> ConfigError:
    close = difflib.get_close_matches(name, list(model.model_fields), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return ConfigError(f"unknown key {dotted!r} in {origin}{hint}", key=dotted, origin=origin)


def is_shipped(origin: str) -> bool:
    """Tell whether a value comes from the files that are part of the product."""
    return Path(origin.partition("#")[0]).parent == Path(config.__file__).parent


def _is_loaded(name: str) -> bool:
    return name.endswith(".yaml") and ".example." not in name


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}" if mark is not None else type(error).__name__
