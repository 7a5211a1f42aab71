"""The manifests below k8s/ as kustomize renders them, for tests and for the simulation of scaling."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).resolve().parents[1] / "k8s"
OVERLAYS = ("demo", "oracle", "scale", "watch")
RENDERERS = (("kubectl", "kustomize"), ("kustomize", "build"))

Manifest = dict[str, Any]


class NoRendererError(Exception):
    """Why nothing can be rendered here."""


@lru_cache
def rendered(overlay: str) -> tuple[Manifest, ...]:
    """Every document of an overlay; NoRendererError: there is no kustomize, or none of version 4.1."""
    for program, command in RENDERERS:
        if shutil.which(program):
            done = subprocess.run(
                [program, command, str(K8S / "overlays" / overlay)],
                capture_output=True,
                text=True,
                check=False,
            )
            if "unknown field" in done.stderr:
                raise NoRendererError(f"this {program} is too old: {done.stderr.strip()[:200]}")
            assert done.returncode == 0, done.stderr
            assert not done.stderr, f"kustomize complains: {done.stderr}"
            return tuple(yaml.safe_load_all(done.stdout))
    raise NoRendererError("neither kubectl nor kustomize is here")


@dataclass(frozen=True)
class Pod:
    """What a workload makes pods from."""

    owner: Manifest
    spec: dict[str, Any]
    labels: dict[str, str]

    @property
    def name(self) -> str:
        """Kind and name of the workload."""
        return f"{self.owner['kind']}/{self.owner['metadata']['name']}"

    @property
    def container(self) -> dict[str, Any]:
        """Its one container."""
        [container] = self.spec["containers"]
        return container  # type: ignore[no-any-return]  # YAML

    @property
    def is_ours(self) -> bool:
        """Whether it runs `vo`, rather than Redis."""
        return self.container["name"] == "vo"

    def environment(self, documents: tuple[Manifest, ...]) -> dict[str, str]:
        """The variables that the container sees; those from Secrets have none but a placeholder."""
        found: dict[str, str] = {}
        for source in self.container.get("envFrom", ()):
            name = source["configMapRef"]["name"]
            found |= next(d["data"] for d in documents if _is(d, "ConfigMap", name))
        for entry in self.container.get("env", ()):
            found[entry["name"]] = entry.get("value", "from a Secret")
        return found


def pods(documents: tuple[Manifest, ...]) -> Iterator[Pod]:
    """The pods of every workload."""
    for document in documents:
        spec = document.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template is not None:
            yield Pod(document, template["spec"], template["metadata"]["labels"])


def of_kind(documents: tuple[Manifest, ...], kind: str) -> dict[str, Manifest]:
    """The documents of a kind by their names."""
    return {d["metadata"]["name"]: d for d in documents if d["kind"] == kind}


def _is(document: Manifest, kind: str, name: str) -> bool:
    return document["kind"] == kind and document["metadata"]["name"] == name
