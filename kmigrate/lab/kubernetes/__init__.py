"""A real Kubernetes API server on this machine: etcd, kube-apiserver and kube-controller-manager as processes."""

from kmigrate.lab.kubernetes.build import binary, version
from kmigrate.lab.kubernetes.go import NoGo, find_go
from kmigrate.lab.kubernetes.plane import ControlPlane

__all__ = ["ControlPlane", "NoGo", "binary", "find_go", "version"]
