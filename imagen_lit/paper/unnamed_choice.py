"""What the code chooses and no setting names, with whose choice it is. An entry goes when a setting
takes its place; `setting` is the one, for runs that are older than it."""

from collections.abc import Mapping
from dataclasses import dataclass

BASE, SUPER = ("base64",), ("sr256", "sr1024")


@dataclass(frozen=True)
class UnnamedChoice:
    """`symbol`: the name in the code that makes it. `paper`: what the paper says, and where.
    `because`: ours, because; empty: as the paper has it."""

    what: str
    paper: str
    here: str
    because: str
    symbol: str
    stages: tuple[str, ...] = BASE + SUPER
    setting: str = ""


CHOICES = (
    UnnamedChoice(
        "times of a batch",
        "uniform, independent (App. F)",
        "uniform, on a walk in golden steps",
        "evenly spread times make the loss less noisy (Kingma et al. 2021, App. I.1)",
        "imagen_lit.diffusion.noise.times",
    ),
    UnnamedChoice(
        "how the network learns the time",
        "a timestep embedding (§ 2.5); its form is not stated",
        "64 sines and cosines of the log-SNR, then two dense layers",
        "App. A writes the network as a function of the log-SNR",
        "imagen_lit.network.layers.LogSNREmbedding",
    ),
    UnnamedChoice(
        "how the level of augmentation is told",
        "the network is conditioned on it (§ 2.4); how, is not stated",
        "as its log-SNR, in an embedding of its own that is added to the time's",
        "as the time of the process is told",
        "imagen_lit.network.efficient_unet.EfficientUNet",
        SUPER,
    ),
    UnnamedChoice(
        "levels of augmentation in a batch",
        "not stated whether one for each image or for the batch (§ 2.4)",
        "one for each image",
        "as DeepFloyd IF has it",
        "imagen_lit.stage.condition.TextAndLowRes",
        SUPER,
    ),
    UnnamedChoice(
        "the small image of a training example",
        "how it is made is not stated (§ 2.4)",
        "an area mean of the large one; the base learns from bicubic images",
        "noise of level 0.05 hides the difference, level 0 does not",
        "imagen_lit.stage.condition.TextAndLowRes",
        SUPER,
        setting="stage.condition.kernel",
    ),
    UnnamedChoice(
        "noise of the small image, before or after enlarging it",
        "not stated (§ 2.4)",
        "before",
        "as Cascaded Diffusion has it (its § 4)",
        "imagen_lit.stage.augmentation.augment",
        SUPER,
    ),
    UnnamedChoice(
        "how the small image enters",
        "not restated; the cited works concatenate it",
        "enlarged bilinearly, as three more channels",
        "as Cascaded Diffusion does",
        "imagen_lit.network.efficient_unet.EfficientUNet",
        SUPER,
        setting="network.enlargement",
    ),
    UnnamedChoice(
        "text dropped for guidance",
        "embeddings zeroed (§ 4.1); nothing of their mask",
        "zeroed, and masked out: attention sees a learned null token alone",
        "padding is masked out too, so no text and no token look alike",
        "imagen_lit.stage.condition.Condition",
        setting="stage.condition.null_text",
    ),
    UnnamedChoice(
        "attention over the text's tokens, pooled",
        "attention pooling (F.1–F.3); heads and queries are not stated",
        "8 heads of 32, a learned query and a learned null token",
        "the null token gives an empty text a result too",
        "imagen_lit.network.unet.UNet",
        setting="network.conditioning.pool_heads",
    ),
    UnnamedChoice(
        "scale of the skips, 1/√2",
        "skip connections scaled by 1/√2, as in SR3 (App. B.1)",
        "the U-Net's skips alone, before they are concatenated",
        "one of three readings of that sentence",
        "imagen_lit.network.efficient_unet.EfficientUNet",
        SUPER,
        setting="network.skip_scale",
    ),
    UnnamedChoice(
        "the last convolution",
        "sees features (Fig. A.30)",
        "sees features, the first features, and the input images",
        "features after norms have lost the mean colour, and colours drift",
        "imagen_lit.network.efficient_unet.EfficientUNet",
        SUPER,
        setting="network.last_sees_input",
    ),
    UnnamedChoice(
        "the way up, to twice the edge",
        "a 3×3 convolution with strides (Fig. A.29)",
        "a 3×3 convolution to four times the channels, made into pixels",
        "the figure names no kind of upsampling",
        "imagen_lit.network.efficient_unet.UpBlock",
        SUPER,
    ),
    UnnamedChoice(
        "the shortcut of a residual block",
        "always a 1×1 convolution (Fig. A.27)",
        "one only where the widths differ",
        "as in ADM",
        "imagen_lit.network.layers.ResidualBlock",
        SUPER,
        setting="network.shortcut",
    ),
    UnnamedChoice(
        "first weights",
        "not stated",
        "torch's, and zero in the last layer of each block and of the network",
        "as in ADM",
        "imagen_lit.network.layers.zero_init",
    ),
    UnnamedChoice(
        "the EMA's first updates",
        "no EMA is named",
        "its half-life is 5 % of the images seen, until it reaches stage.ema_half_life",
        "the first, random weights are soon forgotten (EDM2's reference settings)",
        "imagen_lit.stage.ema.decay",
    ),
)


def of(stage: str, run: Mapping[str, str]) -> list[UnnamedChoice]:
    """Those of a stage that no setting of the run names."""
    return [each for each in CHOICES if stage in each.stages and each.setting not in run]
