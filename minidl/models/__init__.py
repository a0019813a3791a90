"""Networks of the literature, with the names of parameters that published weights use."""

from .resnet import ResNet, resnet18, resnet34, resnet50

__all__ = ["ResNet", "resnet18", "resnet34", "resnet50"]
