r"""The compiled form of the addressed generator of `glassformer._core._random`: the same words, and numbers from them.

A draw is addressed by ``(block, step, site, replica)`` and a 64-bit key. One block gives four 32-bit words, hence two
uniforms of 53 bits or two normals. The fill loops have no branch and no table, so that the compiler turns them into
vector instructions; every operation in them is exactly rounded (fused multiply-adds are written out, no fast-math), so a
number does not depend on whether it was made in the vector part or in the remainder of a loop.

Normals come from the Box-Muller transform with our own polynomials (the minimax coefficients of fdlibm and Cephes);
radius and angle carry 53 bits each, so the tail reaches 8.57 standard deviations.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_S32, _S21, _S11 = np.uint64(32), np.uint64(21), np.uint64(11)

_UNIT = 2.0**-53
_MANTISSA = np.int64(52)
_SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LOG2_E = 1.4426950408889634
_ROUND = 1.5 * 2.0**52
_QUARTER = np.int64(51)
_QUARTER_MASK = np.int64(2**51 - 1)
_QUARTER_HALF = np.int64(2**50)
_QUARTER_TURN = 0.5 * math.pi * 2.0**-51


def split_key(key: int) -> tuple[np.uint64, np.uint64]:
    """Return the two 32-bit words of a 64-bit key, the low one first."""
    return np.uint64(key & 0xFFFFFFFF), np.uint64(key >> 32)


@intrinsic
def _bits_of_intrinsic(typing_context, x):
    """Reinterpret a double as a signed 64-bit integer."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def _double_of_intrinsic(typing_context, bits):
    """Reinterpret a signed 64-bit integer as a double."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@intrinsic
def _fma_intrinsic(typing_context, a, b, c):
    """Return a * b + c with one rounding, in scalar and in vector code alike."""

    def codegen(context, builder, signature, args):
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), codegen


# Type checkers see the signature of the definition, not of the call.
_bits_of: Any = _bits_of_intrinsic
_double_of: Any = _double_of_intrinsic
_fma: Any = _fma_intrinsic


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def philox_words(block, step, site, replica, key0, key1):
    """Return the four output words of Philox-4x32-10, as uint64 below 2**32; all arguments are such words."""
    c0, c1, c2, c3 = block, step, site, replica
    k0, k1 = key0, key1
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0 = (p1 >> _S32) ^ c1 ^ k0
        c1 = p1 & _MASK
        c2 = (p0 >> _S32) ^ c3 ^ k1
        c3 = p0 & _MASK
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0, c1, c2, c3


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def unit_uniform(high, low):
    """Return a uniform in [0, 1) with 53 bits from two words."""
    return np.float64(np.int64((high << _S21) ^ (low >> _S11))) * _UNIT


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _log(v):
    """Return log v for normal v > 0, to one unit in the last place (fdlibm's polynomial, without its branches)."""
    bits = _bits_of(v)
    exponent = (bits - _SQRT_HALF_BITS) >> _MANTISSA
    f = _double_of(bits - (exponent << _MANTISSA)) - 1.0
    s = f / (2.0 + f)
    z = s * s
    r = _fma(z, 1.479819860511658591e-01, 1.531383769920937332e-01)
    r = _fma(z, r, 1.818357216161805012e-01)
    r = _fma(z, r, 2.222219843214978396e-01)
    r = _fma(z, r, 2.857142874366239149e-01)
    r = _fma(z, r, 3.999999999940941908e-01)
    r = _fma(z, r, 6.666666666666735130e-01)
    half_square = 0.5 * f * f
    k = np.float64(exponent)
    return k * _LN2_HIGH - ((half_square - _fma(s, half_square + z * r, k * _LN2_LOW)) - f)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def vector_exp(x):
    """Return exp x to two units in the last place, with x clipped to [-700, 700]; a NaN comes out finite."""
    x = min(max(x, -700.0), 700.0)
    shifted = x * _LOG2_E + _ROUND  # the integer nearest to x / log 2 now sits in the low bits
    r = _fma(shifted - _ROUND, -_LN2_LOW, _fma(shifted - _ROUND, -_LN2_HIGH, x))
    p = _fma(r, 1.0 / 6227020800.0, 1.0 / 479001600.0)
    p = _fma(r, p, 1.0 / 39916800.0)
    p = _fma(r, p, 1.0 / 3628800.0)
    p = _fma(r, p, 1.0 / 362880.0)
    p = _fma(r, p, 1.0 / 40320.0)
    p = _fma(r, p, 1.0 / 5040.0)
    p = _fma(r, p, 1.0 / 720.0)
    p = _fma(r, p, 1.0 / 120.0)
    p = _fma(r, p, 1.0 / 24.0)
    p = _fma(r, p, 1.0 / 6.0)
    p = _fma(r, p, 0.5)
    p = _fma(r, p, 1.0)
    p = _fma(r, p, 1.0)
    return _double_of(_bits_of(p) + (_bits_of(shifted) << _MANTISSA))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def normal_pair(w0, w1, w2, w3):
    """Return two independent standard normals from the four words of one block."""
    v = 1.0 - unit_uniform(w0, w1)  # in (0, 1], so that the logarithm is finite
    radius = math.sqrt(-2.0 * _log(v))
    turn = np.int64((w2 << _S21) ^ (w3 >> _S11))
    quarter = turn >> _QUARTER
    # The top two bits choose the quarter of the circle, the other 51 an angle from -pi/4 to pi/4.
    x = np.float64((turn & _QUARTER_MASK) - _QUARTER_HALF) * _QUARTER_TURN
    y = x * x
    sine = _fma(y, 1.58962301576546568060e-10, -2.50507477628578072866e-8)
    sine = _fma(y, sine, 2.75573136213857245213e-6)
    sine = _fma(y, sine, -1.98412698295895385996e-4)
    sine = _fma(y, sine, 8.33333333332211858878e-3)
    sine = _fma(y, sine, -1.66666666666666307295e-1)
    sine = _fma(x * y, sine, x)
    cosine = _fma(y, -1.13585365213876817300e-11, 2.08757008419747316778e-9)
    cosine = _fma(y, cosine, -2.75573141792967388112e-7)
    cosine = _fma(y, cosine, 2.48015872888517045348e-5)
    cosine = _fma(y, cosine, -1.38888888888730564116e-3)
    cosine = _fma(y, cosine, 4.16666666666665929218e-2)
    cosine = _fma(y * y, cosine, _fma(y, -0.5, 1.0))
    odd = (quarter & 1) != 0
    first = -sine if odd else cosine
    second = cosine if odd else sine
    radius = -radius if (quarter & 2) != 0 else radius
    return radius * first, radius * second


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def uniforms_at(block, step, site, replica, key0, key1):
    """Return the two uniforms in [0, 1) of one address."""
    w0, w1, w2, w3 = philox_words(block, step, site, replica, key0, key1)
    return unit_uniform(w0, w1), unit_uniform(w2, w3)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def normals_at(block, step, site, replica, key0, key1):
    """Return the two normals of one address."""
    w0, w1, w2, w3 = philox_words(block, step, site, replica, key0, key1)
    return normal_pair(w0, w1, w2, w3)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_normals(out, count, blocks, sites, first_site, step, replica, key0, key1):
    """Write the normals of `count` addresses to ``out[:2 * count]``: block ``blocks[k]``, site ``first_site + sites[k]``."""
    for k in range(count):
        w0, w1, w2, w3 = philox_words(blocks[k], step, first_site + sites[k], replica, key0, key1)
        first, second = normal_pair(w0, w1, w2, w3)
        out[2 * k] = first
        out[2 * k + 1] = second


@njit(cache=True, nogil=True, error_model="numpy")
def fill_uniforms(out, count, block, first_site, step, replica, key0, key1):
    """Write the two uniforms of `count` consecutive sites to ``out[:2 * count]``."""
    for k in range(count):
        w0, w1, w2, w3 = philox_words(block, step, first_site + np.uint64(k), replica, key0, key1)
        out[2 * k] = unit_uniform(w0, w1)
        out[2 * k + 1] = unit_uniform(w2, w3)
