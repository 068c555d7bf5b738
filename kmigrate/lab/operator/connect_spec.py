"""What the Strimzi operator derives from a KafkaConnect and from a KafkaConnector. Pure.

Sources: io.strimzi.operator.cluster.model.KafkaConnectCluster, KafkaConnectConfiguration, KafkaConnectorConfiguration,
KafkaConnectConfigurationBuilder, TemplateUtils (1.2.0); `strimzi.md` §2.7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kmigrate.lab.operator.connectors import Resolve, Secrets, group_properties, same
from kmigrate.lab.operator.secret_files import ALIAS, PROVIDER
from kmigrate.lab.operator.status import Rejected, mapping, objects, setting
from kmigrate.model import JsonObject

_JSON = "org.apache.kafka.connect.json.JsonConverter"
_DEFAULTS = {"key.converter": _JSON, "value.converter": _JSON}
# AbstractConnectorSpec.FORBIDDEN_PARAMETERS
_FORBIDDEN = frozenset({"name", "connector.class", "tasks.max", "connector.plugin.version"})
_NOT_DONE = ("build", "image", "plugins", "rack")
_MOUNTED = "/mnt"
_MOUNT = re.compile(rf"(^|[:,\"\s]){_MOUNTED}(?=[/:,}}\"\s]|$)")

Here = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A Secret as a folder in the workers' pods: `files` maps file names to its keys, None means every key."""

    path: str
    secret: str
    files: Mapping[str, str] | None


def unmoved(text: str) -> str:
    """Paths as they are: for workers whose pods have the mounts."""
    return text


def below(root: Path) -> Here:
    """Paths below /mnt as paths below `root`/mnt: a process of this machine has no mounts of its own."""
    return lambda text: _MOUNT.sub(lambda found: f"{found[1]}{root}{_MOUNTED}", text)


def connect_properties(
    spec: JsonObject, secrets: Secrets, *, resolve: Resolve = same, here: Here = unmoved
) -> dict[str, str]:
    """The settings file of a worker of the KafkaConnect with that spec; its REST port is set by whoever starts it."""
    for field in _NOT_DONE:
        if field in spec:
            raise Rejected("InvalidResourceException", f"the stand-in does nothing for spec.{field}")
    settings = group_properties(spec, secrets, _DEFAULTS, rest_port=0, resolve=resolve)
    own = [name for name in (settings.get("config.providers"), ALIAS) if name]
    moved = {name: here(text) for name, text in settings.items() if name.startswith("config.providers")}
    return {**settings, **moved, "config.providers": ",".join(own), f"config.providers.{ALIAS}.class": PROVIDER}


def mounts(spec: JsonObject) -> tuple[Mount, ...]:
    """The Secrets that the pods mount; raises Rejected for mounts outside /mnt and for other kinds of volumes."""
    template = mapping(spec.get("template"))
    volumes = {str(one.get("name")): one for one in objects(mapping(template.get("pod")).get("volumes"))}
    wanted = objects(mapping(template.get("connectContainer")).get("volumeMounts"))
    if any(not str(one.get("mountPath")).startswith(_MOUNTED) for one in wanted):
        why = f"Forbidden path found in additional volumes. Should start with {_MOUNTED}"
        raise Rejected("InvalidResourceException", why)
    return tuple(_mount(str(one["mountPath"]), mapping(volumes.get(str(one.get("name"))))) for one in wanted)


def _mount(path: str, volume: JsonObject) -> Mount:
    secret = mapping(volume.get("secret"))
    if "secretName" not in secret:
        raise Rejected("InvalidResourceException", f"the stand-in mounts Secrets only, not what is at {path}")
    chosen = {str(one["path"]): str(one["key"]) for one in objects(secret.get("items"))} or None
    return Mount(path=path, secret=str(secret["secretName"]), files=chosen)


def plain_settings(name: str, spec: JsonObject, *, resolve: Resolve = same, here: Here = unmoved) -> dict[str, str]:
    """The flat settings of a KafkaConnector as they are put to Connect; what belongs to the operator is left out.

    Addresses of Services and paths of mounts become those of this machine.
    """
    config = {key: setting(value) for key, value in mapping(spec.get("config")).items() if key not in _FORBIDDEN}
    _refuse(spec, config)
    settings = {key: resolve(text) if key.endswith("bootstrap.servers") else here(text) for key, text in config.items()}
    settings |= {"name": name, "connector.class": str(spec.get("class"))}
    return settings | ({"tasks.max": str(spec["tasksMax"])} if "tasksMax" in spec else {})


def _refuse(spec: JsonObject, config: Mapping[str, str]) -> None:
    if "version" in spec:
        raise Rejected("InvalidResourceException", "the stand-in does nothing for spec.version")
    if any(f"${{{ALIAS}:" in text for text in config.values()):
        why = f"{ALIAS} may read no Secrets but those of the workers' own sign-in; mount what a connector needs"
        raise Rejected("InvalidResourceException", why)
