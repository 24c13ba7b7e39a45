"""Convolutions against direct loops: products, zeros that are inserted, rows that pieces share."""

from __future__ import annotations

from itertools import pairwise, product
from math import ceil, gcd

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.workload import forward_graph, load_model, training_graph
from accmine.workload.forward.convolution import Axis, Convolution, borders
from accmine.workload.work import Gemm

Floats = npt.NDArray[np.float64]

SIDES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2))


@st.composite
def axes(draw: st.DrawFn, most: int = 6) -> Axis:
    kernel, stride, dilation, before, after = draw(SIDES)
    axis = Axis(1, kernel, stride, dilation, before, after)
    least = max(1, axis.extent - before - after)
    return Axis(least + draw(st.integers(0, most)), kernel, stride, dilation, before, after)


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    groups = draw(st.integers(1, 2))
    channels, out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    return Convolution(draw(st.integers(1, 2)), channels, out, groups, draw(axes(3)), draw(axes(3)))


class Direct:
    """A convolution and its gradients by loops over numbers; every product is looked at."""

    def __init__(self, c: Convolution) -> None:
        self.c = c
        rng = np.random.default_rng(0)
        h, w = c.height, c.width
        self.x = rng.normal(size=(c.images, c.channels, h.size, w.size))
        self.w = rng.normal(size=(c.out, c.channels // c.groups, h.kernel, w.kernel))
        self.dy = rng.normal(size=(c.images, c.out, h.outputs, w.outputs))

    def channel_pairs(self) -> list[tuple[int, int, int, int]]:
        """(image, output channel, input channel, input channel within the group)."""
        c = self.c
        per_in, per_out = c.channels // c.groups, c.out // c.groups
        return [
            (image, o, o // per_out * per_in + i, i)
            for image, o, i in product(range(c.images), range(c.out), range(per_in))
        ]

    def windows(self) -> list[tuple[int, int, int, int, int, int]]:
        """(output row, column, tap row, column, image row, column) of every product of a pair of channels."""
        h, w = self.c.height, self.c.width
        return [
            (a, b, i, j, a * h.stride + i * h.dilation - h.before, b * w.stride + j * w.dilation - w.before)
            for a, b, i, j in product(*(range(n) for n in (h.outputs, w.outputs, h.kernel, w.kernel)))
        ]

    def inside(self, row: int, column: int) -> bool:
        return 0 <= row < self.c.height.size and 0 <= column < self.c.width.size

    def gradients(self) -> tuple[Floats, Floats, int]:
        """Gradients of images and weights by the definition, and the products of the forward pass."""
        dx, dw, count = np.zeros_like(self.x), np.zeros_like(self.w), 0
        for (n, o, c, i), (a, b, u, v, row, column) in product(self.channel_pairs(), self.windows()):
            count += 1
            if self.inside(row, column):
                dx[n, c, row, column] += self.dy[n, o, a, b] * self.w[o, i, u, v]
                dw[o, i, u, v] += self.dy[n, o, a, b] * self.x[n, c, row, column]
        return dx, dw, count


def spread(values: Floats, rows: int, columns: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The last two axes with rows - 1 and columns - 1 zeros between their elements, and where those are."""
    shape = (*values.shape[:-2], rows * (values.shape[-2] - 1) + 1, columns * (values.shape[-1] - 1) + 1)
    found, zeros = np.zeros(shape), np.ones(shape[-2:], dtype=bool)
    found[..., ::rows, ::columns] = values
    zeros[::rows, ::columns] = False
    return found, zeros


@settings(max_examples=40, deadline=None)
@given(convolutions())
def test_products_are_those_of_the_definition(c: Convolution) -> None:
    _, _, count = Direct(c).gradients()
    direct = Direct(c)
    image, weight, output = direct.x.size, direct.w.size, direct.dy.size
    products = (c.product(), c.input_gradient(), c.weight_gradient())
    assert [gemm.macs for gemm in products] == [count] * 3
    operands = [(gemm.a_elements, gemm.b_elements, gemm.c_elements) for gemm in products]
    assert operands == [(image, weight, output), (output, weight, image), (output, image, weight)]


@settings(max_examples=40, deadline=None)
@given(convolutions())
def test_zeros_of_a_dilated_kernel(c: Convolution) -> None:
    direct = Direct(c)
    _, zeros = spread(direct.w, c.height.dilation, c.width.dilation)
    pairs = len(direct.channel_pairs())
    by_loops = sum(bool(zeros[tap]) for _ in range(c.positions) for tap in np.ndindex(zeros.shape))
    assert c.product().inserted == pairs * by_loops


@settings(max_examples=40, deadline=None)
@given(convolutions())
def test_zeros_of_the_input_gradient(c: Convolution) -> None:
    """The gradient as a convolution of the spread output gradient with the spread, flipped kernel."""
    direct = Direct(c)
    h, w = c.height, c.width
    up, up_zeros = spread(direct.dy, h.stride, w.stride)
    taps, tap_zeros = spread(direct.w, h.dilation, w.dilation)
    found, inserted = np.zeros_like(direct.x), 0
    for row, column, u, v in product(range(h.size), range(w.size), *(range(n) for n in tap_zeros.shape)):
        a, b = row + h.before - u, column + w.before - v
        in_range = 0 <= a < up_zeros.shape[0] and 0 <= b < up_zeros.shape[1]
        inserted += bool(tap_zeros[u, v] or (in_range and up_zeros[a, b]))
        if in_range:
            for n, o, channel, i in direct.channel_pairs():
                found[n, channel, row, column] += up[n, o, a, b] * taps[o, i, u, v]
    assert found == pytest.approx(direct.gradients()[0])
    assert c.input_gradient().inserted == inserted * len(direct.channel_pairs())


@settings(max_examples=40, deadline=None)
@given(convolutions())
def test_zeros_of_the_weight_gradient(c: Convolution) -> None:
    """The gradient as the spread output gradient slid over the image."""
    direct = Direct(c)
    h, w = c.height, c.width
    up, zeros = spread(direct.dy, h.stride, w.stride)
    found, inserted = np.zeros_like(direct.w), 0
    for i, j, a, b in product(range(h.kernel), range(w.kernel), *(range(n) for n in zeros.shape)):
        inserted += bool(zeros[a, b])
        row, column = a + i * h.dilation - h.before, b + j * w.dilation - w.before
        if direct.inside(row, column):
            for n, o, channel, per_group in direct.channel_pairs():
                found[o, per_group, i, j] += up[n, o, a, b] * direct.x[n, channel, row, column]
    assert found == pytest.approx(direct.gradients()[1])
    assert c.weight_gradient().inserted == inserted * len(direct.channel_pairs())


def rows_read(axis: Axis, outputs: range) -> set[int]:
    reads = (o * axis.stride + tap * axis.dilation - axis.before for o in outputs for tap in range(axis.kernel))
    return {row for row in reads if 0 <= row < axis.size}


def rows_needed(axis: Axis, rows: range) -> set[int]:
    return {o for o in range(axis.outputs) if rows_read(axis, range(o, o + 1)) & set(rows)}


@given(axes())
def test_no_cut_shares_more_than_the_halo(axis: Axis) -> None:
    for cut in range(1, axis.outputs):
        shared = rows_read(axis, range(cut)) & rows_read(axis, range(cut, axis.outputs))
        assert len(shared) <= axis.halo


@given(axes())
def test_a_cut_far_from_the_border_shares_the_halo(axis: Axis) -> None:
    tall = Axis(axis.size + 8 * axis.extent * axis.stride, axis.kernel, axis.stride, axis.dilation, axis.before)
    middle = tall.outputs // 2
    shared = rows_read(tall, range(middle)) & rows_read(tall, range(middle, tall.outputs))
    assert len(shared) == tall.halo
    if axis.dilation == 1:
        assert tall.halo == max(0, axis.kernel - axis.stride)
    # Between rows of the image gradient a cut may be moved by less than a stride: the best place counts.
    half = tall.size // 2
    common = [
        len(rows_needed(tall, range(cut)) & rows_needed(tall, range(cut, tall.size)))
        for cut in range(half, half + tall.stride)
    ]
    assert min(common) == tall.gradient_halo


@settings(max_examples=40, deadline=None)
@given(convolutions(), st.data())
def test_elements_that_both_sides_of_a_cut_read(c: Convolution, data: st.DataObject) -> None:
    """Image elements behind one cut between output rows, over all channels, by looking at every product."""
    if c.height.outputs < 2:
        return
    cut = data.draw(st.integers(1, c.height.outputs - 1))
    sides: tuple[set[tuple[int, int, int]], set[tuple[int, int, int]]] = (set(), set())
    direct = Direct(c)
    for (image, _, channel, _), (a, _, _, _, row, column) in product(direct.channel_pairs(), direct.windows()):
        if image == 0 and direct.inside(row, column):
            sides[a >= cut].add((channel, row, column))
    both = len(sides[0] & sides[1])
    forward, weights = c.product(), c.weight_gradient()
    assert forward.halo_elements == weights.halo_elements >= both
    h, w = c.height, c.width
    plain = h.dilation == w.dilation == 1 and h.kernel >= h.stride and w.kernel >= w.stride
    every_column = len({column for _, _, column in sides[0]}) == w.size
    # Far enough from the borders that all shared rows are rows of the image.
    first, last = cut * h.stride - h.before, (cut - 1) * h.stride - h.before + h.kernel - 1
    if plain and every_column and first >= 0 and last < h.size:
        assert forward.halo_elements == both == max(0, h.kernel - h.stride) * w.size * c.channels


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))
def test_pieces_of_whole_rows_read_exactly_the_halos_again(
    kernel: int, stride: int, images: int, pieces_per_image: int, rows_per_piece: int
) -> None:
    outputs = pieces_per_image * rows_per_piece
    axis = Axis(stride * (outputs - 1) + kernel, kernel, stride)
    conv = Convolution(images, 3, 2, 1, axis, Axis(5, 1))
    pieces = [range(i, i + rows_per_piece) for i in range(0, outputs, rows_per_piece)]
    again = sum(len(rows_read(axis, piece)) for piece in pieces) - len(rows_read(axis, range(outputs)))
    count = images * pieces_per_image
    if outputs > 1:
        for gemm in (conv.product(), conv.weight_gradient()):
            assert gemm.halo_elements * (count - gcd(count, gemm.images)) == images * again * 5 * 3


@given(st.integers(1, 12), st.integers(1, 40))
def test_cuts_inside_images(images: int, pieces: int) -> None:
    """Groups of images are cut evenly: the largest piece is that of a plain cut, and P - gcd(P, n) cuts are inside."""
    g = gcd(images, pieces)
    group, parts = images // g, pieces // g
    ends = [ceil(64 * group * part / parts) for part in range(parts + 1)]
    assert max(b - a for a, b in pairwise(ends)) == ceil(64 * images / pieces)
    inside = g * sum(end % 64 != 0 for end in ends[1:-1])
    assert pieces - g >= inside
    if pieces <= 64:
        assert pieces - g == inside


def test_plain_products_have_neither_zeros_nor_halos() -> None:
    plain = Gemm(4, 5, 6, 1, 20, 30, 24)
    assert (plain.inserted, plain.halo_elements, plain.halo_axis, plain.images) == (0, 0, "m", 1)
    pointwise = Convolution(2, 5, 6, 1, Axis(3, 1), Axis(3, 1))
    assert pointwise.product() == Gemm(18, 5, 6, 1, 90, 30, 108)  # equal to the linear layer of the same sizes
    assert pointwise.weight_gradient() == Gemm(6, 18, 5, 1, 108, 90, 30)
    bert = training_graph(forward_graph(load_model("bert-base"), batch=1, sequence=16, split="none"))
    assert all(w.gemm is None or w.gemm.inserted == w.gemm.halo_elements == 0 for w in bert.works)


def test_an_image_of_one_row_is_cut_between_columns() -> None:
    flat = Convolution(1, 2, 3, 1, Axis(1, 1), Axis(20, 5))
    assert flat.product().halo_elements == 4 * 2
    assert flat.input_gradient().halo_elements == 4 * 3
    assert Convolution(1, 2, 3, 1, Axis(5, 5), Axis(5, 5)).product().halo_elements == 0  # one output: no cut


def test_halo_operands_and_known_sizes() -> None:
    # ResNet's stem: 7x7, stride 2, on 3 x 224 x 224: 5 rows shared of the image, 3 of the output gradient.
    stem = Convolution(8, 3, 64, 1, Axis(224, 7, 2, 1, 3, 3), Axis(224, 7, 2, 1, 3, 3))
    forward, dx, dw = stem.product(), stem.input_gradient(), stem.weight_gradient()
    assert (forward.halo_elements, dx.halo_elements, dw.halo_elements) == (5 * 224 * 3, 3 * 112 * 64, 5 * 224 * 3)
    assert [g.halo_axis for g in (forward, dx, dw)] == ["m", "m", "k"]
    assert [g.images for g in (forward, dx, dw)] == [8, 8, 8]
    assert forward.inserted == 0
    # Stride 2 in both directions: a zero-inserting gradient does nearly four times the work.
    assert dw.inserted / dw.macs == pytest.approx(223 * 223 / 112**2 - 1)
    assert 2.8 < dx.inserted / dx.macs < 3.0


def test_border_forms() -> None:
    assert borders((1, 2)) == (1, 1, 2, 2)
    assert borders((1, 2, 3, 4)) == (1, 2, 3, 4)


def test_strided_models_have_zeros_and_others_none() -> None:
    def inserted(name: str, pixels: int) -> float:
        forward = forward_graph(load_model(name), batch=1, image=pixels)
        graph = training_graph(forward)
        assert sum(o.work.gemm.inserted for o in forward.operators if o.work.gemm) == 0
        return sum(o.work.gemm.inserted for o in graph.operators if o.work.gemm) / graph.macs

    assert inserted("vgg-16", 224) == 0
    assert 0.1 < inserted("resnet-18", 64) < 1
