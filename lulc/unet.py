"""The network: a U-Net (Ronneberger et al. 2015) of any depth, and how far it sees.

Every layer is named, so that it can be found again: `encoder_stage{i}_...` downwards,
`decoder_stage{i}_...` upwards, `final_conv` and `softmax`. The reference system's network is
`UNet(bands=14, classes=13)`: the same layers under the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class UNet:
    """The settings of one network. `build()` makes it."""

    MARGIN: ClassVar[int] = 3
    """Pixels around a core, of each stage's own size, that its decoder must see. A stage's 3x3
    convolution loses one; of the two that stay, the next 4x4 transposed one makes three."""

    bands: int
    """Input channels."""
    classes: int
    """Output classes."""
    width: int = 32
    """Filters of the first stage; each stage down doubles them."""
    depth: int = 4
    """Stages down and up."""
    decoder_width: int | None = None
    """Filters of the last stage up; each stage further down doubles them. `2 * width` unless
    given; `width` makes the decoder, and with it the whole network, about a quarter."""

    @property
    def stride(self) -> int:
        """Tile offsets and sizes are multiples of this: the pixels one deepest pixel spans."""
        return 2**self.depth

    @cached_property
    def halo(self) -> int:
        """Pixels beyond a tile on which its result depends, rounded up to the stride."""
        first, last = 0, self.stride - 1
        low, high = self._seen(first, last)
        reach = max(first - low, high - last)
        return -(-reach // self.stride) * self.stride

    @property
    def bytes_per_pixel(self) -> int:
        """About what computing a pixel takes in memory, for choosing a tile.

        The layers of the last stage up, which are held at once: the concatenation, the two
        convolutions beside it, the outputs and the input, and a fifth for the rest. Measured
        with oneDNN: 460 to 530 bytes where this says 538, 1060 to 1110 where it says 1330.
        """
        last = self.decoder_width or 2 * self.width
        return round(4 * 1.2 * (self.width + 3 * last + 3 * self.classes + self.bands))

    @property
    def multiply_adds(self) -> float:
        """Multiply-adds of the convolutions for a pixel, by which networks' times compare.

        A 3 x 3 convolution takes nine times its input by its output channels, at a stage's
        share of the pixels; a 4 x 4 transposed one of stride 2 meets four weights a pixel.
        """
        last = self.decoder_width or 2 * self.width
        total = 9.0 * last * self.classes
        channels = self.bands
        for stage in range(self.depth):
            filters = self.width * 2**stage
            total += 9 * filters * (channels + filters) / 4**stage
            channels = filters
        for stage in reversed(range(self.depth)):
            filters, skip = last * 2**stage, self.width * 2**stage
            total += filters * (4 * channels + 9 * (filters + skip)) / 4**stage
            channels = filters
        return total

    def _seen(self, low: int, high: int) -> tuple[int, int]:
        """The input pixels on which the output pixels low..high depend, along one axis.

        Walks the layers from the end: a 3x3 convolution sees one pixel more on each side, a
        4x4 transposed convolution of stride 2 sees the coarse pixels (o - 2) / 2 .. (o + 1) / 2,
        a pooled pixel the two below it; a skip connection sees what its stage sees.
        """
        ranges = {0: (low - 1, high + 1)}  # final_conv
        for stage in range(self.depth):  # the decoder, from the last stage down
            low, high = ranges[stage]
            low, high = low - 1, high + 1  # conv2, over the concatenation
            ranges[stage] = (low, high)  # ... with the skip of this stage
            ranges[stage + 1] = (-(-(low - 2) // 2), (high + 1) // 2)  # up
        low, high = ranges[self.depth]
        for stage in reversed(range(self.depth)):  # the encoder, from its bottom up
            low, high = 2 * low, 2 * high + 1  # pool
            low, high = min(low, ranges[stage][0]), max(high, ranges[stage][1])
            low, high = low - 2, high + 2  # conv1, conv2
        return low, high

    def build(self) -> keras.Model:
        """Build the Keras model: (batch, y, x, bands) float32 -> (batch, y, x, classes) softmax.

        Both sides of the image must be multiples of `stride`.
        """
        from keras import Input, Model, layers

        def convolve(x, filters, stage, number):
            x = layers.Conv2D(
                filters,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"{stage}_conv{number}",
            )(x)
            return activate(x, stage, number)

        def activate(x, stage, number):
            # A short training has few steps for the running statistics to settle in.
            x = layers.BatchNormalization(momentum=0.9, name=f"{stage}_bn{number}")(x)
            return layers.ReLU(name=f"{stage}_relu{number}")(x)

        x = image = Input((None, None, self.bands), name="image")
        skips = []
        for i in range(self.depth):
            stage, filters = f"encoder_stage{i}", self.width * 2**i
            x = convolve(x, filters, stage, 1)
            x = convolve(x, filters, stage, 2)
            skips.append(x)
            x = layers.MaxPooling2D(2, name=f"{stage}_pool")(x)

        last = self.decoder_width or 2 * self.width
        for i, skip in enumerate(reversed(skips)):
            stage, filters = f"decoder_stage{i}", last * 2 ** (self.depth - 1 - i)
            x = layers.Conv2DTranspose(
                filters,
                4,
                strides=2,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"{stage}_up",
            )(x)
            x = activate(x, stage, 1)
            x = layers.Concatenate(name=f"{stage}_concat")([x, skip])
            x = convolve(x, filters, stage, 2)

        x = layers.Conv2D(
            self.classes,
            3,
            padding="same",
            kernel_initializer="he_normal",
            name="final_conv",
        )(x)
        # Half-precision training keeps the softmax, and so the loss, in float32.
        x = layers.Activation("softmax", dtype="float32", name="softmax")(x)
        return Model(image, x, name="unet")
