r"""One spin from its exact conditional law :math:`\propto e^{\beta\mathbf h\cdot\mathbf s}` on the sphere of radius R.

With :math:`w=\cos(\mathbf s,\mathbf h)`, everything is written in the *gap* :math:`v=1-w`, which keeps its digits at any
concentration; no separate limit for large kappa is needed.

* D = 1: a biased coin.
* D = 2: Best and Fisher 1979; their envelope is Wood's with Beta(1/2, 1/2) drawn as a squared sine.
* D = 3: inversion.
* D >= 4: Wood 1994. A Gaussian vector gives the direction of the tangent; its tangent length squared is independent of
  that direction and serves as one gamma variate of the Beta; its component along the field is a normal independent of
  both and proposes the other one (Marsaglia and Tsang 2000). So D normals and two uniforms make one proposal.

Addresses: blocks 0, 1, ... hold the normals, blocks from 2^31 the uniforms of the first and everything of later proposals.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from glassformer._core._philox import fill_normals, fill_uniforms, normals_at, uniforms_at

FIRST_UNIFORM_BLOCK = np.uint64(1 << 31)
_ONE, _TWO = np.uint64(1), np.uint64(2)
_SUMS = {"reassoc", "contract", "nsz"}


@njit(cache=True, nogil=True, error_model="numpy")
def _gamma(d, c, normal, uniform, block, step, site, replica, key0, key1):
    """Return (gamma variate of shape d + 1/3, next unused block); proposes first from the given normal and uniform."""
    while True:
        t = 1.0 + c * normal
        if t > 0.0:
            cube = t * t * t
            square = normal * normal
            left = 1.0 - uniform
            if left < 1.0 - 0.0331 * square * square or math.log(left) < 0.5 * square + d * (
                1.0 - cube + math.log(cube)
            ):
                return d * cube, block
        normal, _ = normals_at(block, step, site, replica, key0, key1)
        uniform, _ = uniforms_at(block + _ONE, step, site, replica, key0, key1)
        block += _TWO


@njit(cache=True, nogil=True, error_model="numpy")
def _gap(kappa, spread, first_gamma, normal, u0, u1, d, c, step, site, replica, key0, key1):
    """Return 1 - w for D >= 4 by Wood's rejection; ``spread`` is D - 1."""
    kappa = min(kappa, 1e100)  # beyond it nothing changes and squares overflow
    b = spread / (2.0 * kappa + math.sqrt(4.0 * kappa * kappa + spread * spread))
    x0 = (1.0 - b) / (1.0 + b)
    y0 = 2.0 * b / (1.0 + b)  # 1 - x0 without cancellation
    block = FIRST_UNIFORM_BLOCK + _ONE
    while True:
        second_gamma, block = _gamma(d, c, normal, u0, block, step, site, replica, key0, key1)
        v = 2.0 * b * first_gamma / (second_gamma + b * first_gamma)
        log_ratio = kappa * (y0 - v) + spread * math.log((y0 + x0 * v) / (y0 * (1.0 + x0)))
        # "Not rejected" rather than "accepted": a NaN must leave the loop and be reported by the driver.
        if log_ratio >= 0.0 or not log_ratio < math.log(1.0 - u1):
            return v
        n0, n1 = normals_at(block, step, site, replica, key0, key1)
        a0, a1 = uniforms_at(block + _ONE, step, site, replica, key0, key1)
        block += _TWO
        first_gamma, block = _gamma(d, c, n0, a0, block, step, site, replica, key0, key1)
        normal, u0 = n1, a1
        u1, _ = uniforms_at(block, step, site, replica, key0, key1)
        block += _ONE


@njit(cache=True, nogil=True, error_model="numpy")
def _gap_on_circle(kappa, u0, u1, step, site, replica, key0, key1):
    """Return (1 - w, side) for D = 2; the top bit of the first uniform is the side."""
    kappa = min(kappa, 1e100)
    b = 1.0 / (2.0 * kappa + math.sqrt(4.0 * kappa * kappa + 1.0))
    x0 = (1.0 - b) / (1.0 + b)
    y0 = 2.0 * b / (1.0 + b)
    block = FIRST_UNIFORM_BLOCK + _ONE
    while True:
        side = 1.0
        u = 2.0 * u0
        if u >= 1.0:
            side = -1.0
            u -= 1.0
        sine = math.sin(0.5 * math.pi * u)
        cosine = math.cos(0.5 * math.pi * u)
        first, second = sine * sine, cosine * cosine
        v = 2.0 * b * first / (second + b * first)
        log_ratio = kappa * (y0 - v) + math.log((y0 + x0 * v) / (y0 * (1.0 + x0)))
        if log_ratio >= 0.0 or not log_ratio < math.log(1.0 - u1):
            return v, side
        u0, u1 = uniforms_at(block, step, site, replica, key0, key1)
        block += _ONE


@njit(cache=True, nogil=True, error_model="numpy")
def _gap_on_sphere(kappa, u0):
    """Return 1 - w for D = 3 by inversion."""
    left = 1.0 - u0
    if kappa < 1e-16:
        return 2.0 * left
    return min(2.0, -math.log1p(left * math.expm1(-2.0 * kappa)) / kappa)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def _dots(h, g):
    """Return h.h, h.g, g.g."""
    hh = 0.0
    hg = 0.0
    gg = 0.0
    for k in range(h.size):
        a = h[k]
        b = g[k]
        hh += a * a
        hg += a * b
        gg += b * b
    return hh, hg, gg


@njit(cache=True, nogil=True, error_model="numpy")
def _clean_tangent(h, g, norm):
    """Project the field out of g twice, in place, when little of g would be left; return the squared length left."""
    for _ in range(2):
        along = 0.0
        for k in range(h.size):
            along += g[k] * (h[k] / norm)
        for k in range(h.size):
            g[k] -= along * (h[k] / norm)
    left = 0.0
    for k in range(h.size):
        left += g[k] * g[k]
    return left


@njit(cache=True, nogil=True, error_model="numpy")
def draw_site(h, h0, out, out0, g, g0, u0, u1, dim, beta, radius, d, c, step, site, replica, key0, key1):
    """Draw one spin in the field ``h[h0:h0 + dim]`` into ``out``; ``g`` holds normals (D >= 4) and is overwritten."""
    if dim == 1:
        up = 1.0 / (1.0 + math.exp(-2.0 * beta * radius * h[h0]))
        out[out0] = radius if u0 < up else -radius
        return
    if dim == 2:
        x, y = h[h0], h[h0 + 1]
        norm = math.hypot(x, y)
        if norm > 0.0:
            x /= norm
            y /= norm
        else:
            x = 1.0
        v, side = _gap_on_circle(beta * radius * norm, u0, u1, step, site, replica, key0, key1)
        w = 1.0 - v
        across = side * math.sqrt(v * (2.0 - v))
        out[out0] = radius * (w * x - across * y)
        out[out0 + 1] = radius * (w * y + across * x)
        return
    if dim == 3:
        x, y, z = h[h0], h[h0 + 1], h[h0 + 2]
        norm = math.sqrt(x * x + y * y + z * z)
        if norm > 1e-150:
            x /= norm
            y /= norm
            z /= norm
        else:
            norm = 0.0
            x = y = 0.0
            z = 1.0
        v = _gap_on_sphere(beta * radius * norm, u0)
        w = 1.0 - v
        across = math.sqrt(v * (2.0 - v))
        along = across * math.cos(2.0 * math.pi * u1)
        beside = across * math.sin(2.0 * math.pi * u1)
        # Orthonormal basis without branches (Duff et al. 2017).
        sign = math.copysign(1.0, z)
        a = -1.0 / (sign + z)
        xy = x * y * a
        out[out0] = radius * (w * x + along * (1.0 + sign * x * x * a) + beside * xy)
        out[out0 + 1] = radius * (w * y + along * sign * xy + beside * (sign + y * y * a))
        out[out0 + 2] = radius * (w * z - along * sign * x - beside * y)
        return
    field = h[h0 : h0 + dim]  # slices, so that the compiler sees plain runs of numbers
    tangents = g[g0 : g0 + dim]
    spin = out[out0 : out0 + dim]
    hh, hg, gg = _dots(field, tangents)
    if hh < 1e-300:  # no field: uniform
        scale = radius / math.sqrt(gg)
        for k in range(dim):
            spin[k] = scale * tangents[k]
        return
    norm = math.sqrt(hh)
    normal = hg / norm
    tangent = gg - normal * normal
    v = _gap(beta * radius * norm, dim - 1.0, 0.5 * tangent, normal, u0, u1, d, c, step, site, replica, key0, key1)
    along = normal
    if tangent < 0.1 * gg:  # too much cancellation in the difference
        tangent = _clean_tangent(field, tangents, norm)
        along = 0.0
    across = radius * math.sqrt(v * (2.0 - v) / tangent)
    scale = (radius * (1.0 - v) - across * along) / norm
    for k in range(dim):
        spin[k] = scale * field[k] + across * tangents[k]


@njit(cache=True, nogil=True, error_model="numpy")
def draw_lane(
    h, stride, offset, out, n, dim, beta, radius, step, replica, key0, key1, uniforms, normals, blocks, sites
):
    """Draw all `n` spins of one replica: site i reads and writes at ``i * stride + offset``."""
    d = 0.5 * (dim - 1.0) - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d) if d > 0.0 else 0.0
    fill_uniforms(uniforms, n, FIRST_UNIFORM_BLOCK, np.uint64(0), step, replica, key0, key1)
    per_site = (dim + 1) // 2
    run = max(1, blocks.size // per_site)
    for start in range(0, n, run):
        count = min(run, n - start)
        if dim >= 4:
            fill_normals(normals, count * per_site, blocks, sites, np.uint64(start), step, replica, key0, key1)
        for k in range(count):
            i = start + k
            at = i * stride + offset
            draw_site(
                h, at, out, at, normals, 2 * k * per_site, uniforms[2 * i], uniforms[2 * i + 1],
                dim, beta, radius, d, c, step, np.uint64(i), replica, key0, key1,
            )  # fmt: skip


def workspace(n: int, dim: int):
    """Return the buffers that `draw_lane` needs: uniforms, normals, and the addresses of one run of sites."""
    per_site = (dim + 1) // 2
    run = max(1, min(n, 256 // per_site))  # two to four kilobytes of normals stay in the first cache
    sites, blocks = np.divmod(np.arange(run * per_site, dtype=np.uint64), np.uint64(per_site))
    return np.empty(2 * n), np.empty(2 * run * per_site), blocks, sites


@njit(cache=True, nogil=True, error_model="numpy")
def draw_replicas(h, out, n, dim, beta, radius, key0, key1, uniforms, normals, blocks, sites):
    """Fill ``out (draw, site * component)`` with independent draws in the same fields."""
    for r in range(out.shape[0]):
        draw_lane(
            h, dim, 0, out[r], n, dim, beta, radius, np.uint64(0), np.uint64(r), key0, key1,
            uniforms, normals, blocks, sites,
        )  # fmt: skip
