"""Layered models (convolutional and other feed-forward networks) as forward graphs.

The layers of ``accmine.workload.importers.layer_list`` are built in order on one image tensor [b,c,h,w]. The chain of
layers at which a pipeline may be cut has one link per top-level convolution, linear layer, residual, branch
or block; norms, activations, pools and side classifiers belong to the link in front of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from accmine.errors import Complaint, InputError
from accmine.workload.forward import layers
from accmine.workload.forward.convolution import Border, borders
from accmine.workload.forward.layers import Pair
from accmine.workload.graph import GraphBuilder, OperatorGraph
from accmine.workload.importers.layer_list import PRODUCTS, LayerSpec
from accmine.workload.importers.layer_options import ACTIVATIONS

__all__ = ["ConvnetConfig", "convnet_graph"]


@dataclass(frozen=True)
class ConvnetConfig:
    """A layered model: channels of its images, and its layers."""

    channels: int
    layers: tuple[LayerSpec, ...]


def convnet_graph(
    config: ConvnetConfig, name: str, *, batch: int, image: int, dropout: bool, loss: bool, dtype: str
) -> OperatorGraph:
    """Forward graph on square images of ``image`` pixels.

    Parameters are those of ``accmine.workload.importers.models.forward_graph``.

    Raises
    ------
    InputError
        If shapes do not fit each other, e.g. the image is too small for a window.
    """
    net = _Net(GraphBuilder(name), batch, dropout, loss, dtype)
    x = layers.input_tensor(net.b, "images", (batch, config.channels, image, image), dtype)
    for spec in config.layers:
        if spec.kind in PRODUCTS or not net.b.layers:
            net.open(spec.label)
        x = net.build(spec, x)
    if loss:
        net.loss("loss", x, 1.0)
    return net.b.build()


def _as_pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


def _refuse(spec: LayerSpec, message: str, option: str = "") -> InputError:
    field = f"{spec.field}.{option}" if option else spec.field
    return InputError([Complaint(spec.where, field, message)])


class _Net:
    """One graph being built."""

    def __init__(self, builder: GraphBuilder, batch: int, dropout: bool, loss: bool, dtype: str) -> None:
        self.b = builder
        self.batch = batch
        self.dropping = dropout
        self.losing = loss
        self.dtype = dtype
        self.link = ""
        self.counts: Counter[str] = Counter()
        self.labels: dict[tuple[int, ...], int] = {}
        self.makers: dict[str, Callable[[LayerSpec, int], int]] = {
            "conv": self.conv,
            "linear": self.linear,
            "batch-norm": self.norm,
            "layer-norm": self.norm,
            "max-pool": self.pool,
            "avg-pool": self.pool,
            "adaptive-avg-pool": self.adaptive_pool,
            "global-avg-pool": self.global_pool,
            "dropout": self.dropout,
            "flatten": lambda spec, x: x,
            "squeeze-excite": self.squeeze_excite,
            "residual": self.residual,
            "branches": self.branches,
            "auxiliary": self.auxiliary,
            "unit": lambda spec, x: self.sequence(spec.parts[0], x),
            **dict.fromkeys(ACTIVATIONS, self.activation),
        }

    def open(self, label: str) -> None:
        """Begin the next link of the chain of layers."""
        self.link = f"{label}{len(self.b.layers)}"
        self.counts.clear()
        self.b.layer(self.link)

    def name(self, kind: str) -> str:
        """A new operator name in this link."""
        self.counts[kind] += 1
        return f"{self.link}.{kind}{self.counts[kind] - 1}"

    def shape(self, x: int) -> tuple[int, ...]:
        return self.b.tensors[x].shape

    def image(self, spec: LayerSpec, x: int) -> tuple[int, ...]:
        """Shape [b,c,h,w] of ``x``."""
        if len(self.shape(x)) != 4:
            raise _refuse(spec, f"{spec.kind} needs an image, but the layer before gives {self.shape(x)[1]} features")
        return self.shape(x)

    def fits(self, spec: LayerSpec, x: int, kernel: Pair, padding: Border, dilation: Pair = (1, 1)) -> None:
        """Refuse a window larger than the padded image."""
        top, bottom, left, right = borders(padding)
        sides = ((top, bottom), (left, right))
        for size, window, (before, after), step in zip(self.image(spec, x)[2:], kernel, sides, dilation, strict=True):
            if size + before + after < step * (window - 1) + 1:
                message = f"the image is too small: a window of {window} (dilation {step}) does not fit {size} pixels"
                border = str(before) if before == after else f"{before} and {after}"
                raise _refuse(spec, f"{message} with a border of {border}", "kernel")

    def build(self, spec: LayerSpec, x: int) -> int:
        try:
            return self.makers[spec.kind](spec, x)
        except InputError as error:  # a tensor too large for the graph, which does not know the file
            if error.complaints[0].where:
                raise
            raise _refuse(spec, error.complaints[0].message) from None

    def sequence(self, specs: Sequence[LayerSpec], x: int) -> int:
        for spec in specs:
            x = self.build(spec, x)
        return x

    def convolve(
        self,
        x: int,
        out: int,
        kernel: Pair,
        bias: bool,
        *,
        groups: int = 1,
        stride: Pair = (1, 1),
        padding: Border = (0, 0),
        dilation: Pair = (1, 1),
    ) -> int:
        """A convolution with its own parameters."""
        name = self.name("conv")
        shape = (out, self.shape(x)[1] // groups, *kernel)
        weight = layers.parameter(self.b, f"{name}.weight", shape, self.dtype)
        offset = layers.parameter(self.b, f"{name}.bias", (out,), self.dtype) if bias else None
        return layers.conv2d(
            self.b, name, x, weight, offset, stride=stride, padding=padding, dilation=dilation, groups=groups
        )

    def conv(self, spec: LayerSpec, x: int) -> int:
        channels = self.image(spec, x)[1]
        options = dict(spec.options)
        kernel, stride, dilation = (_as_pair(options[key]) for key in ("kernel", "stride", "dilation"))
        groups = channels if options["groups"] == "depthwise" else options["groups"]
        if channels % groups or options["out"] % groups:
            message = f"{groups} groups must divide {channels} input and {options['out']} output channels"
            raise _refuse(spec, message, "groups")
        if options["padding"] == "same":
            spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
            if any(span % 2 for span in spans):
                message = f"same padding needs an odd window; got kernel {kernel}"
                raise _refuse(spec, f"{message}; [top, bottom, left, right] takes uneven sides", "padding")
            padding: Border = (spans[0] // 2, spans[1] // 2)
        else:
            padding = _as_pair(options["padding"])
        self.fits(spec, x, kernel, padding, dilation)
        bias, size = options["bias"], options["out"]
        return self.convolve(x, size, kernel, bias, groups=groups, stride=stride, padding=padding, dilation=dilation)

    def linear(self, spec: LayerSpec, x: int) -> int:
        name, out = self.name("linear"), spec.option("out")
        k = self.b.tensors[x].elements // self.batch
        weight = layers.parameter(self.b, f"{name}.weight", (k, out), self.dtype)
        bias = layers.parameter(self.b, f"{name}.bias", (out,), self.dtype) if spec.option("bias") else None
        return layers.linear(self.b, name, [x], weight, bias, [(self.batch, out)], m=self.batch)[0]

    def norm(self, spec: LayerSpec, x: int) -> int:
        if spec.kind == "layer-norm" and len(self.shape(x)) != 2:
            raise _refuse(spec, "layer-norm needs features; put it behind a linear layer, or use batch-norm")
        return layers.norm(self.b, self.name(spec.kind), spec.kind, x)

    def activation(self, spec: LayerSpec, x: int) -> int:
        return layers.elementwise(self.b, self.name(spec.kind), spec.kind, x)

    def dropout(self, spec: LayerSpec, x: int) -> int:
        return layers.dropout(self.b, self.name("dropout"), x, spec.option("rate") if self.dropping else 0.0)

    def pool(self, spec: LayerSpec, x: int) -> int:
        options = dict(spec.options)
        kernel, padding = _as_pair(options["kernel"]), _as_pair(options["padding"])
        stride = kernel if options["stride"] is None else _as_pair(options["stride"])
        self.fits(spec, x, kernel, padding)
        if any(2 * border > window for border, window in zip(padding, kernel, strict=True)):
            raise _refuse(spec, f"a border of {padding} is more than half the window {kernel}", "padding")
        return layers.pool(self.b, self.name(spec.kind), spec.kind, x, kernel, stride, padding, options["ceil"])

    def adaptive_pool(self, spec: LayerSpec, x: int) -> int:
        """Equal windows that cover the image; nothing where it has the size already."""
        sizes, wanted = self.image(spec, x)[2:], _as_pair(spec.option("size"))
        if sizes == wanted:
            return x
        if any(size < want for size, want in zip(sizes, wanted, strict=True)):
            raise _refuse(spec, f"the image is too small: {sizes} cannot be pooled to {wanted}", "size")
        stride = (sizes[0] // wanted[0], sizes[1] // wanted[1])
        kernel = (sizes[0] - (wanted[0] - 1) * stride[0], sizes[1] - (wanted[1] - 1) * stride[1])
        return layers.pool(self.b, self.name("avg-pool"), "avg-pool", x, kernel, stride)

    def global_pool(self, spec: LayerSpec, x: int) -> int:
        _, _, height, width = self.image(spec, x)
        return layers.pool(self.b, self.name("avg-pool"), "avg-pool", x, (height, width), (1, 1))

    def squeeze_excite(self, spec: LayerSpec, x: int) -> int:
        """Channels weighted by a gate of their means (Hu et al. 2018)."""
        channels, options = self.image(spec, x)[1], dict(spec.options)
        y = self.global_pool(spec, x)
        y = self.convolve(y, options["width"], (1, 1), True)
        y = layers.elementwise(self.b, self.name(options["activation"]), options["activation"], y)
        y = self.convolve(y, channels, (1, 1), True)
        y = layers.elementwise(self.b, self.name(options["gate"]), options["gate"], y)
        return layers.add(self.b, self.name("multiply"), (x, y), kind="multiply")

    def residual(self, spec: LayerSpec, x: int) -> int:
        shortcut = spec.option("shortcut")
        y = self.sequence(spec.parts[0], x)
        if shortcut == "layers":
            side = self.sequence(spec.parts[1], x)
        elif shortcut == "projection" or (shortcut == "auto" and self.shape(x) != self.shape(y)):
            side = self.project(spec, x, y)
        else:
            side = x
        if self.shape(side) != self.shape(y):
            if shortcut == "same":
                return y
            message = f"the shortcut gives {self.shape(side)}, the body {self.shape(y)}; allowed: equal shapes"
            raise _refuse(spec, message, "shortcut")
        return layers.add(self.b, self.name("add"), (y, side))

    def project(self, spec: LayerSpec, x: int, y: int) -> int:
        """The 1 × 1 convolution and batch norm from the shape of ``x`` to that of ``y`` (He et al. 2015, option B)."""
        before, after = self.image(spec, x), self.image(spec, y)
        stride = (-(-before[2] // after[2]), -(-before[3] // after[3]))
        side = self.convolve(x, after[1], (1, 1), False, stride=stride)
        return layers.norm(self.b, self.name("batch-norm"), "batch-norm", side)

    def branches(self, spec: LayerSpec, x: int) -> int:
        ends = [self.sequence(part, x) for part in spec.parts]
        rests = {(self.shape(end)[0], *self.shape(end)[2:]) for end in ends}
        if len(rests) > 1:
            raise _refuse(spec, f"branches end in {[self.shape(end) for end in ends]}; only channels may differ")
        return layers.concat(self.b, self.name("concat"), ends, 1)

    def auxiliary(self, spec: LayerSpec, x: int) -> int:
        y = self.sequence(spec.parts[0], x)
        if self.losing:
            self.loss(self.name("auxiliary-loss"), y, spec.option("weight"))
        return x

    def loss(self, name: str, x: int, weight: float) -> None:
        """Cross entropy over channels or features, with one label per remaining position."""
        images, classes, *rest = self.shape(x)
        shape = (images, *rest)
        if shape not in self.labels:
            suffix = len(self.labels) or ""
            self.labels[shape] = layers.input_tensor(self.b, f"labels{suffix}", shape, "int32")
        layers.cross_entropy(self.b, name, x, self.labels[shape], classes, weight)
