"""Geometry of a two-dimensional convolution: its product, the products of its gradients, zeros and halos.

With g groups, per image and group, O = OH·OW positions and T = kh·kw taps:

================  ===========================  =====================  ==========================
product           C                            m, k, n                operands
================  ===========================  =====================  ==========================
forward           output                       O, Cin/g·T, Cout/g     image (im2col) · weights
input gradient    image gradient (col2im)      O, Cout/g, Cin/g·T     output gradient · weightsᵀ
weight gradient   weight gradient              Cout/g, O, Cin/g·T     output gradientᵀ · image
================  ===========================  =====================  ==========================

All three have the same multiply-accumulates, images·Cin·Cout/g·O·T (im2col forms: Chetlur et al., cuDNN,
arXiv:1410.0759). Products with the border of a padded image are among them, as usual.

**Inserted zeros.** The three are also plain convolutions of tensors with zeros inserted: a dilated kernel
has d − 1 zeros between its taps; the input gradient is a convolution of the output gradient with s − 1
zeros between its elements (s the stride); the weight gradient slides an output gradient with such zeros
over the image. ``Gemm.inserted`` counts the products with a zero that was inserted. With, per axis, the
dilated extent e = d·(k − 1) + 1, the output extent u = s·(O − 1) + 1, and over pairs (y, i) of an image
position and a tap: I = those with 0 ≤ y + p − d·i < u (inside), R = those of them with s | y + p − d·i:

================  =======================================================================
product           inserted, per image, input channel and output channel of its group
================  =======================================================================
forward           OH·OW·(eh·ew − kh·kw)
input gradient    H·W·(eh·ew − kh·kw) + Ih·Iw − Rh·Rw
weight gradient   kh·kw·(uh·uw − OH·OW)
================  =======================================================================

**Halos.** Two pieces of an image cut between rows of outputs read common rows. For the forward product and
the weight gradient they are rows of the image, (kh − 1)·d + 1 − s of them where every row is read; for the
input gradient, cut between rows of the image gradient, rows of the output gradient, ⌊(kh − 1)·d / s⌋.
Outputs of one row are cut between columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from accmine.workload.graph import Operator, Tensor
from accmine.workload.work import Gemm

__all__ = ["Axis", "Border", "Convolution", "borders", "convolution_of", "output_size"]

Border = tuple[int, int] | tuple[int, int, int, int]
"""Zeros around an image: (height, width), the same on both sides, or (top, bottom, left, right)."""


def borders(padding: Border) -> tuple[int, int, int, int]:
    """The border as (top, bottom, left, right)."""
    return padding if len(padding) == 4 else (padding[0], padding[0], padding[1], padding[1])


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil: bool = False) -> int:
    """Positions of a sliding window along one axis with ``padding`` on both sides; 0 when it does not fit.

    With ``ceil`` a last window that begins inside the axis or its left padding counts, as in PyTorch.
    """
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    if span < 0:
        return 0
    count = (-(-span // stride) if ceil else span // stride) + 1
    return count - 1 if ceil and (count - 1) * stride >= size + padding else count


@dataclass(frozen=True, slots=True)
class Axis:
    """A convolution along one axis; all sizes in elements.

    Attributes
    ----------
    size
        Of the image.
    kernel, stride, dilation
        Taps, step of the window, and distance of its taps, all at least 1.
    before, after
        Zeros that pad the image.
    """

    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def extent(self) -> int:
        """Elements from the first to the last tap."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def outputs(self) -> int:
        """Positions of the window; 0 when it does not fit."""
        room = self.size + self.before + self.after - self.extent
        return room // self.stride + 1 if room >= 0 else 0

    @property
    def output_extent(self) -> int:
        """Elements of the outputs with stride − 1 zeros between them."""
        return self.stride * (self.outputs - 1) + 1

    @property
    def read_pairs(self) -> int:
        """Pairs (output, tap) that read an element of the image rather than of its border."""
        total = 0
        for tap in range(self.kernel):
            shift = tap * self.dilation - self.before
            first = max(0, -(shift // self.stride))
            last = min(self.outputs - 1, (self.size - 1 - shift) // self.stride)
            total += max(0, last - first + 1)
        return total

    @property
    def covered_pairs(self) -> int:
        """Pairs (image position, tap) that fall between the first and the last output, zeros in between included."""
        total = 0
        for tap in range(self.kernel):
            shift = tap * self.dilation - self.before
            total += max(0, min(self.size - 1, self.output_extent - 1 + shift) - max(0, shift) + 1)
        return total

    @property
    def halo(self) -> int:
        """Image positions that the outputs on both sides of a cut read, far from the border; 0 for one output."""
        return min(self.size, _shared(self.kernel, self.stride, self.dilation)) if self.outputs > 1 else 0

    @property
    def gradient_halo(self) -> int:
        """Outputs whose gradients both sides of a cut of the image gradient read, at the best place; 0 for one."""
        return min(self.outputs, (self.kernel - 1) * self.dilation // self.stride) if self.outputs > 1 else 0


@lru_cache(maxsize=1024)
def _shared(kernel: int, stride: int, dilation: int) -> int:
    """Positions read by an output before 0 and by one from 0 on.

    Output o reads o·stride + i·dilation. Without gaps that is every position from 0 to the extent − stride;
    with a stride and a dilation that have a common factor most are never read.
    """
    taps = range(0, kernel * dilation, dilation)

    def read(position: int, behind: bool) -> bool:
        return any((position - tap) % stride == 0 and ((position - tap) >= 0) == behind for tap in taps)

    last = (kernel - 1) * dilation
    return sum(read(position, False) and read(position, True) for position in range(last))


@dataclass(frozen=True)
class Convolution:
    """A convolution of ``images`` × ``channels`` images to ``out`` channels.

    Attributes
    ----------
    images, channels, out, groups
        Images; channels before and behind; groups that divide both.
    height, width
        The convolution along each axis.
    """

    images: int
    channels: int
    out: int
    groups: int
    height: Axis
    width: Axis

    @cached_property
    def image_elements(self) -> int:
        """Elements of all images."""
        return self.images * self.channels * self.height.size * self.width.size

    @cached_property
    def weight_elements(self) -> int:
        """Elements of all kernels."""
        return self.out * (self.channels // self.groups) * self.taps

    @cached_property
    def output_elements(self) -> int:
        """Elements of all outputs."""
        return self.images * self.out * self.positions

    @property
    def taps(self) -> int:
        """Taps of a kernel: kh·kw."""
        return self.height.kernel * self.width.kernel

    @property
    def positions(self) -> int:
        """Outputs of an image and channel: OH·OW."""
        return self.height.outputs * self.width.outputs

    @property
    def _channel_products(self) -> int:
        return self.images * self.channels * (self.out // self.groups)

    @property
    def _dilation_zeros(self) -> int:
        return self.height.extent * self.width.extent - self.taps

    def product(self) -> Gemm:
        """The forward product; its halo is of the image, A."""
        halo = self._image_halo()
        return Gemm(
            self.images * self.positions,
            self.channels // self.groups * self.taps,
            self.out // self.groups,
            self.groups,
            self.image_elements,
            self.weight_elements,
            self.output_elements,
            inserted=self._channel_products * self.positions * self._dilation_zeros,
            halo_elements=halo,
            images=self.images if halo else 1,
        )

    def input_gradient(self) -> Gemm:
        """The product for the gradient of the images; its halo is of the output gradient, A."""
        h, w = self.height, self.width
        strided = h.covered_pairs * w.covered_pairs - h.read_pairs * w.read_pairs
        halo = self.out * (w.gradient_halo * h.outputs if h.outputs == 1 else h.gradient_halo * w.outputs)
        return Gemm(
            self.images * self.positions,
            self.out // self.groups,
            self.channels // self.groups * self.taps,
            self.groups,
            self.output_elements,
            self.weight_elements,
            self.image_elements,
            inserted=self._channel_products * (h.size * w.size * self._dilation_zeros + strided),
            halo_elements=halo,
            images=self.images if halo else 1,
        )

    def weight_gradient(self) -> Gemm:
        """The product for the gradient of the weights; cut along k, its halo is of the image, B."""
        zeros = self.height.output_extent * self.width.output_extent - self.positions
        halo = self._image_halo()
        return Gemm(
            self.out // self.groups,
            self.images * self.positions,
            self.channels // self.groups * self.taps,
            self.groups,
            self.output_elements,
            self.image_elements,
            self.weight_elements,
            inserted=self._channel_products * self.taps * zeros,
            halo_elements=halo,
            halo_axis="k" if halo else "m",
            images=self.images if halo else 1,
        )

    def _image_halo(self) -> int:
        h, w = self.height, self.width
        return self.channels * (w.halo * h.size if h.outputs == 1 else h.halo * w.size)


def convolution_of(operator: Operator, tensors: Sequence[Tensor]) -> Convolution:
    """The geometry of a forward ``conv2d`` operator of a graph with ``tensors``."""
    images, channels, height, width = tensors[operator.inputs[0]].shape
    out, per_group, kh, kw = tensors[operator.inputs[1]].shape
    found = dict(operator.attributes)
    stride, dilation, padding = found["stride"], found["dilation"], found["padding"]
    assert isinstance(stride, tuple)
    assert isinstance(dilation, tuple)
    assert isinstance(padding, tuple)
    top, bottom, left, right = padding if len(padding) == 4 else (padding[0], padding[0], padding[1], padding[1])
    return Convolution(
        images,
        channels,
        out,
        channels // per_group,
        Axis(height, kh, stride[0], dilation[0], top, bottom),
        Axis(width, kw, stride[1], dilation[1], left, right),
    )
