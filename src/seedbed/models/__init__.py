"""Networks: backbones by configuration, their kernels, and Hugging Face folders both ways."""

from seedbed.core.registry import Registry
from seedbed.models.network import Network
from seedbed.models.save import save_model

backbones: Registry[object] = Registry(
    "backbone", "seedbed.models.backbone", about="networks from configuration: encoders, decoders, and both in one"
)
mixers: Registry[object] = Registry(
    "mixer", "seedbed.models.mixing", about="what can stand in a layer in place of attention"
)
feedforwards: Registry[object] = Registry(
    "feedforward", "seedbed.models.feeding", about="what can stand in a layer in place of the dense feedforward"
)

__all__ = ["Network", "backbones", "feedforwards", "mixers", "save_model"]
