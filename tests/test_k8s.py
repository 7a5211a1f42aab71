"""The manifests of k8s/: valid for Kubernetes, true to the settings, and by rules with their exceptions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from manifests import K8S, OVERLAYS, Manifest, NoRendererError, Pod, of_kind, pods, rendered

from vo.config import Config
from vo.uws.lanes import lanes

VERSION = "1.30"
CUSTOM = {"ScaledObject": Path(__file__).with_name("scaledobject.schema.json")}
LANES = tuple(lanes(Config()))
BASE_MB = 700
"""What the processes of a worker need beside their jobs."""

Documents = tuple[Manifest, ...]


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Documents:
    """The documents of each overlay in turn."""
    return _rendered(request.param)


@pytest.fixture
def scaled() -> Documents:
    """The documents of the overlay `scale`."""
    return _rendered("scale")


def _rendered(name: str) -> Documents:
    try:
        return rendered(name)
    except NoRendererError as reason:
        pytest.skip(str(reason))


def test_each_document_is_valid() -> None:
    """By the schemas of Kubernetes, strictly, or by our own for custom resources."""
    for text in {json.dumps(document) for name in OVERLAYS for document in _rendered(name)}:
        document = json.loads(text)
        if document["kind"] in CUSTOM:
            jsonschema.validate(document, json.loads(CUSTOM[document["kind"]].read_text()))
        else:
            kubernetes_validate.validate(document, VERSION, strict=True)


def test_a_wrong_document_is_not() -> None:
    """Both judges can say no."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service, VERSION, strict=True)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {}, "spec": {}},
            json.loads(CUSTOM["ScaledObject"].read_text()),
        )


def test_every_lane_has_its_workers(overlay: Documents) -> None:
    """A Deployment a lane, each with that lane in its command, and no other."""
    workers = {pod.labels["lane"]: pod for pod in pods(overlay) if pod.labels.get("app") == "worker"}
    assert set(workers) == set(LANES)
    for lane, pod in workers.items():
        assert pod.container["args"] == ["worker", "--lane", lane]
        assert pod.owner["spec"]["selector"]["matchLabels"]["lane"] == lane


def test_a_worker_has_the_time_and_the_memory_of_its_lane(overlay: Documents) -> None:
    """Kubernetes kills none that still drains, nor one whose jobs stay below the limit of their lane."""
    for pod in pods(overlay):
        if pod.labels.get("app") != "worker":
            continue
        config = Config.from_env(pod.environment(overlay))
        lane = lanes(config)[pod.labels["lane"]]
        needed_s = config.drain_s + config.stop_grace_s
        assert pod.spec["terminationGracePeriodSeconds"] >= needed_s + 20, pod.name
        limit = _megabytes(pod.container["resources"]["limits"]["memory"])
        assert limit >= lane.workers * lane.memory_mb * 0.9 + BASE_MB, pod.name


def test_sync_queries_end_before_their_worker_and_web_server(overlay: Documents) -> None:
    """The lane with clients waiting drains for longer than a query may take, and so does the web server."""
    for pod in pods(overlay):
        if pod.labels.get("lane") == "sync" or pod.labels["app"] == "web":
            config = Config.from_env(pod.environment(overlay))
            assert config.drain_s > config.sync_timeout_s, pod.name
            if pod.labels["app"] == "web":
                grace = pod.spec["terminationGracePeriodSeconds"]
                assert grace > config.leave_s + config.drain_s, pod.name
                ready = pod.container["readinessProbe"]
                seen_s = ready["periodSeconds"] * ready["failureThreshold"]
                assert config.leave_s > seen_s, "it leaves before anybody knows"


def test_selectors_find_what_they_mean(overlay: Documents) -> None:
    """Services, budgets and Deployments select the pods of one workload, and some."""
    labelled = {pod.name: pod.labels for pod in pods(overlay)}
    for document in overlay:
        spec = document.get("spec", {})
        selector = spec.get("selector", {})
        wanted = selector.get("matchLabels", selector if document["kind"] == "Service" else None)
        if wanted:
            found = [name for name, labels in labelled.items() if wanted.items() <= labels.items()]
            assert len(found) == 1, f"{document['kind']}/{document['metadata']['name']}: {found}"


def test_scaling_follows_the_jobs_of_the_lane(scaled: Documents) -> None:
    """A pod is wanted for as many active jobs as it has processes; web servers follow their processors."""
    objects = of_kind(scaled, "ScaledObject")
    settings = next(d["data"] for d in scaled if d["kind"] == "ConfigMap")
    assert set(objects) == {f"worker-{lane}" for lane in LANES}
    for lane in LANES:
        spec = objects[f"worker-{lane}"]["spec"]
        [trigger] = spec["triggers"]
        assert spec["scaleTargetRef"]["name"] in of_kind(scaled, "Deployment")
        assert trigger["metadata"]["valueLocation"] == f'vo_lane_active_jobs{{lane="{lane}"}}'
        assert trigger["metadata"]["targetValue"] == settings[f"VO_{lane.upper()}_WORKERS"]
        assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    [scaler] = of_kind(scaled, "HorizontalPodAutoscaler").values()
    assert scaler["spec"]["scaleTargetRef"]["name"] == "web"


def test_who_scales_is_alone(scaled: Documents) -> None:
    """No Deployment that is scaled says how many pods it wants."""
    for name, deployment in of_kind(scaled, "Deployment").items():
        assert "replicas" not in deployment["spec"], name


def test_secrets_are_references() -> None:
    """No manifest holds a secret, but the password of the demo, which says that it is none."""
    for path in K8S.rglob("*.yaml"):
        text = path.read_text()
        assert "kind: Secret\n" not in text, path
        if "secretGenerator" in text:
            assert path.parent.name == "demo", path


def test_metrics_of_the_rule_exist() -> None:
    """The metric by which lanes are scaled is one that the service tells."""
    source = (K8S.parent / "vo" / "status" / "metrics.py").read_text()
    [name] = set(re.findall(r"valueLocation: (\w+)", (K8S / "components/scale/lanes.yaml").read_text()))
    assert f'"{name}"' in source


# The rules, each a sentence and what breaks it; and what may break it, with the reason.


def _container_rule(judge: Callable[[dict[str, Any]], bool]) -> Callable[[Documents], Iterator[str]]:
    return lambda documents: (pod.name for pod in pods(documents) if not judge(pod.container))


def _pod_rule(judge: Callable[[Pod], bool]) -> Callable[[Documents], Iterator[str]]:
    return lambda documents: (pod.name for pod in pods(documents) if not judge(pod))


def _kinds_rule(judge: Callable[[Documents, Pod], bool]) -> Callable[[Documents], Iterator[str]]:
    return lambda documents: (pod.name for pod in pods(documents) if not judge(documents, pod))


def _runs_long(pod: Pod) -> bool:
    return pod.owner["kind"] in ("Deployment", "StatefulSet")


def _has_budget(documents: Documents, pod: Pod) -> bool:
    budgets = of_kind(documents, "PodDisruptionBudget").values()
    selectors = [budget["spec"]["selector"]["matchLabels"] for budget in budgets]
    return not _runs_long(pod) or any(wanted.items() <= pod.labels.items() for wanted in selectors)


def _is_spread(pod: Pod) -> bool:
    rules = pod.spec.get("topologySpreadConstraints", [])
    return not _runs_long(pod) or any(
        rule["labelSelector"]["matchLabels"].items() <= pod.labels.items() for rule in rules
    )


def _has_no_token(documents: Documents, pod: Pod) -> bool:
    account = of_kind(documents, "ServiceAccount")[pod.spec["serviceAccountName"]]
    return not (account["automountServiceAccountToken"] or pod.spec["automountServiceAccountToken"])


def _probes(*names: str) -> Callable[[Pod], bool]:
    return lambda pod: not _runs_long(pod) or set(names) <= set(pod.container)


def _others(images: Iterable[str]) -> Iterator[str]:
    """What is not the same as the first."""
    first, *others = images
    return (image for image in others if image != first)


def _image_is_pinned(container: dict[str, Any]) -> bool:
    _, _, tag = container["image"].rpartition(":")
    return tag not in ("", "latest", container["image"])


RULES: dict[str, Callable[[Documents], Iterator[str]]] = {
    "runs without rights": _pod_rule(lambda pod: pod.spec["securityContext"]["runAsNonRoot"] is True),
    "runs as a user of its own": _pod_rule(lambda pod: pod.spec["securityContext"]["runAsUser"] > 0),
    "has the seccomp profile": _pod_rule(
        lambda pod: pod.spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    ),
    "gains no rights": _container_rule(lambda c: c["securityContext"]["allowPrivilegeEscalation"] is False),
    "has no capabilities": _container_rule(
        lambda c: c["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    ),
    "has a read-only root": _container_rule(lambda c: c["securityContext"]["readOnlyRootFilesystem"] is True),
    "has no token": _kinds_rule(_has_no_token),
    "gets no variables of Services": _pod_rule(lambda pod: pod.spec["enableServiceLinks"] is False),
    "shares nothing with its node": _pod_rule(
        lambda pod: (
            not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec)
            and all("hostPath" not in volume for volume in pod.spec.get("volumes", ()))
        )
    ),
    "asks for processor and memory": _container_rule(
        lambda c: {"cpu", "memory", "ephemeral-storage"} <= set(c["resources"]["requests"])
    ),
    "has limits of memory and disk": _container_rule(
        lambda c: {"memory", "ephemeral-storage"} <= set(c["resources"]["limits"])
    ),
    # A limit would idle a process that the node has time for; requests share what is scarce.
    "has no limit of processor": _container_rule(lambda c: "cpu" not in c["resources"]["limits"]),
    "writes to bounded volumes": _pod_rule(
        lambda pod: all(
            "sizeLimit" in volume["emptyDir"]
            for volume in pod.spec.get("volumes", ())
            if "emptyDir" in volume
        )
    ),
    "has an image with a version": _container_rule(_image_is_pinned),
    "is of one version with all others": lambda documents: _others(
        pod.container["image"] for pod in pods(documents) if pod.is_ours
    ),
    "says why it ended": _container_rule(
        lambda c: c.get("terminationMessagePolicy") == "FallbackToLogsOnError"
    ),
    "is probed at its start and for its life": _pod_rule(_probes("startupProbe", "livenessProbe")),
    "is probed for readiness": _pod_rule(_probes("readinessProbe")),
    "is spread over nodes": _pod_rule(_is_spread),
    "has a budget of disruptions": _kinds_rule(_has_budget),
    "reads images without writing them": _pod_rule(
        lambda pod: all(
            mount.get("readOnly") for mount in pod.container["volumeMounts"] if mount["name"] == "images"
        )
    ),
}

_ALONE = "there is one: a budget would only keep its node from being drained, and there is nothing to spread"
_FETCHES = "nobody sends it requests; it fetches its work"
_NO_LOGS = "what it says of its end is not ours, and short"
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("says why it ended", "StatefulSet/state"): _NO_LOGS,
    ("says why it ended", "StatefulSet/relay"): _NO_LOGS,
    ("is spread over nodes", "StatefulSet/state"): _ALONE,
    ("is spread over nodes", "StatefulSet/relay"): _ALONE,
    ("has a budget of disruptions", "StatefulSet/state"): _ALONE,
    ("has a budget of disruptions", "StatefulSet/relay"): _ALONE,
    ("reads images without writing them", "Job/load"): "it is who writes them",
    ("is probed for readiness", "Deployment/watch"): _FETCHES,
    **{
        (
            "is probed for readiness",
            f"Deployment/worker-{lane}",
        ): _FETCHES
        for lane in LANES
    },
}


@pytest.mark.parametrize("rule", RULES)
def test_rules_are_kept(rule: str, overlay: Documents) -> None:
    """Nothing breaks the rule but what has a reason to."""
    excused = {name for broken, name in EXCEPTIONS if broken == rule}
    assert set(RULES[rule](overlay)) <= excused


def test_no_excuse_is_left_over() -> None:
    """Each exception is one."""
    broken = {(rule, name) for o in OVERLAYS for rule, find in RULES.items() for name in find(_rendered(o))}
    assert set(EXCEPTIONS) == broken


def test_everything_is_denied_first(overlay: Documents) -> None:
    """One policy closes all pods both ways; each path that is opened names pods, peers and ports."""
    policies = of_kind(overlay, "NetworkPolicy")
    closed = policies.pop("default-deny")["spec"]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, policy in policies.items():
        spec = policy["spec"]
        paths = [*spec.get("ingress", ()), *spec.get("egress", ())]
        assert paths, name
        assert all(path["ports"] and (path.get("from") or path.get("to")) for path in paths), name
        assert spec["podSelector"] or name == "names", f"{name} concerns every pod"


def test_who_needs_redis_may_reach_it(overlay: Documents) -> None:
    """Whoever has an address of Redis or Oracle has the label that opens the way, and nobody else."""
    for pod in pods(overlay):
        needs = "VO_STATE_URL" in pod.environment(overlay)
        assert (pod.labels.get("redis") == "client") == needs, pod.name
        needs_oracle = "VO_ORACLE_DSN" in pod.environment(overlay)
        assert (pod.labels.get("oracle") == "client") == needs_oracle, pod.name


def _megabytes(text: str) -> float:
    number, unit = float(text[:-2]), text[-2:]
    return number * {"Mi": 1, "Gi": 1024}[unit] * 1.048576
