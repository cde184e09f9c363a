"""A check for fields in a filter that Pods do not have: such a filter is valid JMESPath, but the field is always
null."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mirrors.filters.expression import tree_of

MOST_PROBLEMS: Final = 3
"""The most problems in one warning."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An object type with known fields, and the shapes of their values; None for a value of unknown shape."""

    title: str
    fields: Mapping[str, Shape | ListOf | None]


@dataclass(frozen=True, slots=True)
class ListOf:
    element: Shape | ListOf


Value = Shape | ListOf | None


def _shape(title: str, names: str, **known: Value) -> Shape:
    return Shape(title, {**dict.fromkeys(names.split()), **known})


CONTAINER: Final = _shape(
    "a container",
    "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resizePolicy "
    "resources restartPolicy restartPolicyRules securityContext startupProbe stdin stdinOnce targetContainerName "
    "terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir",
)
METADATA: Final = _shape(
    "a Pod's metadata",
    "annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation "
    "labels managedFields name namespace ownerReferences resourceVersion selfLink uid",
)
SPEC: Final = _shape(
    "a Pod's spec",
    "activeDeadlineSeconds affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases "
    "hostIPC hostNetwork hostPID hostUsers hostname hostnameOverride imagePullSecrets nodeName nodeSelector os "
    "overhead preemptionPolicy priority priorityClassName readinessGates resourceClaims resources restartPolicy "
    "runtimeClassName schedulerName schedulingGates securityContext serviceAccount serviceAccountName "
    "setHostnameAsFQDN shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations "
    "topologySpreadConstraints volumes workloadRef",
    containers=ListOf(CONTAINER),
    initContainers=ListOf(CONTAINER),
    ephemeralContainers=ListOf(CONTAINER),
)
_POD: Final = _shape("a Pod", "apiVersion kind status", metadata=METADATA, spec=SPEC)
_ROOT: Final = _shape("a filter's data", "", obj=_POD, container=CONTAINER)


def unknown_fields_warning(expression: str) -> str:
    """Return a warning about fields that do not exist in a Pod or container of Kubernetes 1.35; empty if all exist."""
    checker, tree = _FieldChecker(), tree_of(expression)
    if tree is not None:
        checker.shape_of(tree, _ROOT)
    return "; ".join(list(dict.fromkeys(checker.problems))[:MOST_PROBLEMS])


class _FieldChecker:
    """A traversal of an expression that tracks the shapes of values and records fields that they do not have."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def shape_of(self, node: Any, shape: Value) -> Value:
        """Return the shape of a node's value if the current value has the shape ``shape``."""
        kind, children = node["type"], node["children"]
        if kind == "field":
            return self._field(str(node["value"]), shape)
        if kind in ("current", "identity", "slice"):
            return shape
        if kind == "index":
            return _element(shape)
        if kind in ("subexpression", "index_expression", "pipe"):
            for child in children:
                shape = self.shape_of(child, shape)
            return shape
        if kind in ("projection", "filter_projection"):
            element = _element(self.shape_of(children[0], shape))
            for condition in children[2:]:
                self.shape_of(condition, element)
            projected = self.shape_of(children[1], element)
            return ListOf(projected) if projected else None
        if kind == "flatten":
            value = self.shape_of(children[0], shape)
            return value.element if isinstance(value, ListOf) and isinstance(value.element, ListOf) else value
        if kind == "value_projection":
            self.shape_of(children[0], shape)
            return None
        # An expression argument, as of sort_by, is evaluated for the elements of another argument.
        for child in children if kind != "expref" else ():
            self.shape_of(child, shape)
        return None

    def _field(self, name: str, shape: Value) -> Value:
        if isinstance(shape, ListOf):
            self.problems.append(f"{name} is read from a list, which gives null: put [] or [0] before .{name}")
            return None
        if shape is None:
            return None
        if name not in shape.fields:
            self.problems.append(_unknown_field_message(name, shape))
        return shape.fields.get(name)


def _element(value: Value) -> Value:
    return value.element if isinstance(value, ListOf) else None


def _unknown_field_message(name: str, shape: Shape) -> str:
    if shape is _ROOT:
        return f"there is no field {name[:60]}: filters read obj, the Pod, and container"
    similar = difflib.get_close_matches(name, shape.fields, 1)
    hint = f"; did you mean {similar[0]}?" if similar else ""
    return f"{name[:60]} is not a field of {shape.title}{hint}"
