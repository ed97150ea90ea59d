"""One step of extended-context models in one pass over memory: fields of all lags, draws, and what is measured of both.

Sites are cut into blocks of fixed length; a *cell* is one block of one replica. Cells are independent, so any range of
them may run on any thread. ``ring (slot, factor, replica, site)`` holds the products u_a with the last K tokens;
``slots[k - 1]`` is where that of lag k sits. The entropy of a token under time reversal needs the field of its K
successors, which is built from the same K products as the field of the next token: both are read in one pass.

With a long context that reading would cost more than the products. Then fields are *prepared*, `AHEAD` steps at a time:
one pass over the ring adds what is known to the fields of the next steps, and what they still lack are the products of the
few tokens since.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from glassformer._core._philox import _log, normals_at, philox_words, uniforms_at, unit_uniform, vector_exp

BLOCK = 2048  # sites; fields of a block stay in the first cache. Even, since two sites share one address
AHEAD = 8  # steps that are prepared together
_PART = 256  # sites of a block whose prepared fields stay in the first cache together
SIGN, LOGISTIC, PROBIT, GRADED, GAUSSIAN, FIELD_ONLY = range(6)
SUMS = 5
FIELD_SQUARE, LOSS, ENTROPY, TOTAL, BACKWARD_LOSS = range(SUMS)
_ONE, _ZERO = np.uint64(1), np.uint64(0)
_LOG_TWO_PI = math.log(2.0 * math.pi)
_REASSOCIATE = {"reassoc", "nsz"}


def block_count(n: int) -> int:
    """Return the number of blocks of n sites."""
    return -(-n // BLOCK)


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(ring, slots, weights, b, low, h, g, backward):
    """Add the products of all lags to h, and with the lags reversed to g."""
    lags, factors = weights.shape
    high = low + h.size
    for k in range(lags):
        for a in range(factors):
            w, v = weights[k, a], weights[lags - 1 - k, a]
            if w == 0.0 and (v == 0.0 or not backward):
                continue
            row = ring[slots[k], a, b, low:high]
            if backward:
                for i in range(h.size):
                    x = row[i]
                    h[i] += w * x
                    g[i] += v * x
            else:
                for i in range(h.size):
                    h[i] += w * row[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_eight(ring, step, a, b, low, w, out):
    """Add the weighted products with the tokens of `step` and the seven before: one store for eight multiplications."""
    slots = ring.shape[0]
    high = low + out.size
    r0, r1 = ring[step % slots, a, b, low:high], ring[(step - 1) % slots, a, b, low:high]
    r2, r3 = ring[(step - 2) % slots, a, b, low:high], ring[(step - 3) % slots, a, b, low:high]
    r4, r5 = ring[(step - 4) % slots, a, b, low:high], ring[(step - 5) % slots, a, b, low:high]
    r6, r7 = ring[(step - 6) % slots, a, b, low:high], ring[(step - 7) % slots, a, b, low:high]
    w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
    for i in range(out.size):
        even = w0 * r0[i] + w2 * r2[i] + w4 * r4[i] + w6 * r6[i]
        odd = w1 * r1[i] + w3 * r3[i] + w5 * r5[i] + w7 * r7[i]
        out[i] += even + odd


@njit(cache=True, nogil=True, error_model="numpy")
def prepare_cells(ring, step, weights, ahead, behind, blocks, first_cell, last_cell):
    """Prepare fields for steps ``step + 1 .. step + AHEAD`` from the products up to `step`, for a range of cells.

    ``ahead (AHEAD, replica, site)`` are parts of these fields, ``behind`` the whole reversed fields of the tokens K + AHEAD
    steps before each.
    """
    lags, factors = weights.shape
    n = ring.shape[3]
    forth, back, w = np.empty((AHEAD, _PART)), np.empty((AHEAD, _PART)), np.empty(8)
    for cell in range(first_cell, last_cell):
        b, block = cell // blocks, cell % blocks
        for low in range(block * BLOCK, min((block + 1) * BLOCK, n), _PART):
            size = min(_PART, n - low)
            forth[:] = 0.0
            back[:] = 0.0
            for a in range(factors):
                for age in range(0, lags + AHEAD - 1, 8):
                    for j in range(AHEAD):
                        first = j + 1 + age  # lag of the youngest of these eight tokens for a coming field
                        if first <= lags:
                            for k in range(8):
                                w[k] = weights[first + k - 1, a] if first + k <= lags else 0.0
                            _add_eight(ring, step - age, a, b, low, w, forth[j, :size])
                        first = (
                            lags + AHEAD - 1 - j - age
                        )  # and for a reversed field, where the youngest has the largest lag
                        if first >= 1 and first - 7 <= lags:
                            for k in range(8):
                                w[k] = weights[first - k - 1, a] if 1 <= first - k <= lags else 0.0
                            _add_eight(ring, step - age, a, b, low, w, back[j, :size])
            for j in range(AHEAD):
                for i in range(size):
                    ahead[j, b, low + i] = forth[j, i]
                    behind[j, b, low + i] = back[j, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _complete(ring, slots, weights, recent, prepared, behind, b, low, h, g, backward):
    """Write h from what was prepared and the products of the `recent` last tokens, and g from what was prepared."""
    high = low + h.size
    h[:] = prepared[b, low:high]
    for k in range(recent):
        for a in range(weights.shape[1]):
            w = weights[k, a]
            if w != 0.0:
                row = ring[slots[k], a, b, low:high]
                for i in range(h.size):
                    h[i] += w * row[i]
    if backward:
        g[:] = behind[b, low:high]


@njit(cache=True, nogil=True, error_model="numpy")
def _rounding(ring, slots, weights, drive, b, low, size):
    """Return, for every site, how much of a field may be rounding: below it a field counts as zero."""
    out = np.empty(size)
    for i in range(size):
        out[i] = abs(drive[i])
    for k in range(weights.shape[0]):
        for a in range(weights.shape[1]):
            w = abs(weights[k, a])
            row = ring[slots[k], a, b, low : low + size]
            for i in range(size):
                out[i] += w * abs(row[i])
    out *= 4.0 * 2.220446049250313e-16
    return out


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REASSOCIATE)
def _square_sum(h):
    total = 0.0
    for i in range(h.size):
        total += h[i] * h[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REASSOCIATE)
def _sum(values):
    total = 0.0
    for i in range(values.size):
        total += np.float64(values[i])
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _logistic(h, tokens, low, beta, step, replica, key0, key1, uniforms):
    """Draw signs with P(+1) = 1 / (1 + exp(-2 beta h)); one uniform a site, the same for every beta."""
    size = h.size
    for pair in range((size + 1) // 2):
        w0, w1, w2, w3 = philox_words(_ZERO, step, np.uint64((low >> 1) + pair), replica, key0, key1)
        uniforms[2 * pair] = unit_uniform(w0, w1)
        uniforms[2 * pair + 1] = unit_uniform(w2, w3)
    for i in range(size):
        x = 2.0 * beta * h[i]
        small = vector_exp(-abs(x))
        down = (small if x >= 0.0 else 1.0) / (1.0 + small)
        tokens[i] = 1 if uniforms[i] >= down else -1


@njit(cache=True, nogil=True, error_model="numpy")
def _logistic_loss(h, tokens, beta, losses, entropies):
    """Return the sums of -log p of these tokens and of the entropy of the law.

    The terms are written out first: a compiler that may reorder sums would break the exponential.
    """
    for i in range(h.size):
        x = 2.0 * beta * h[i]
        size = abs(x)
        small = vector_exp(-size)
        log_norm = _log(1.0 + small)
        losses[i] = log_norm + (size if np.float64(tokens[i]) * x < 0.0 else 0.0)
        entropies[i] = log_norm + min(size, 1e5) * small / (1.0 + small)
    return _sum(losses[: h.size]), _sum(entropies[: h.size])


@njit(cache=True, nogil=True, error_model="numpy")
def _log_ndtr(u):
    """Return the logarithm of the normal distribution function."""
    if u > -30.0:
        return math.log(0.5 * math.erfc(-u * math.sqrt(0.5)))
    inverse = 1.0 / (u * u)
    return -0.5 * u * u - math.log(-u) - 0.5 * _LOG_TWO_PI + math.log1p(-inverse * (1.0 - 3.0 * inverse))


@njit(cache=True, nogil=True, error_model="numpy")
def _probit_loss(h, tokens, beta):
    loss = 0.0
    entropy = 0.0
    for i in range(h.size):
        u = beta * h[i]
        up, down = _log_ndtr(u), _log_ndtr(-u)
        loss -= up if tokens[i] > 0 else down
        entropy -= (math.exp(up) * up if up > -700.0 else 0.0) + (math.exp(down) * down if down > -700.0 else 0.0)
    return loss, entropy


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_normals(out, low, step, replica, key0, key1):
    for pair in range((out.size + 1) // 2):
        first, second = normals_at(_ZERO, step, np.uint64((low >> 1) + pair), replica, key0, key1)
        out[2 * pair] = first
        if 2 * pair + 1 < out.size:
            out[2 * pair + 1] = second


@njit(cache=True, nogil=True, error_model="numpy")
def advance_cells(
    ring, slots, weights, fields, shift, shift_back, recent, ahead, behind, tokens, past, whole_fields, sums, rule, beta,
    sigma, step, first_replica, key0, key1, recording, backward, first_cell, last_cell,
):  # fmt: skip
    """Draw ``tokens (replica, site)`` of `step` for a range of cells, and add up ``sums (replica, block, SUMS)``.

    ``shift (replica,)`` is the field from the mean of the couplings, ``past`` earlier tokens, whose reversed law (with
    ``shift_back``) is scored when `backward`. ``recent`` is -1 where nothing was prepared. FIELD_ONLY writes
    ``whole_fields`` and draws nothing.
    """
    n = fields.size
    blocks = sums.shape[1]
    buffer_h, buffer_g, buffer_u, buffer_v = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for cell in range(first_cell, last_cell):
        b, block = cell // blocks, cell % blocks
        low = block * BLOCK
        size = min(BLOCK, n - low)
        replica = np.uint64(first_replica + b)
        h, g, drive = buffer_h[:size], buffer_g[:size], fields[low : low + size]
        own, entry = tokens[b, low : low + size], sums[b, block]
        if recent < 0:
            h[:] = 0.0
            g[:] = 0.0
            _gather(ring, slots, weights, b, low, h, g, backward)
        else:
            _complete(ring, slots, weights, recent, ahead, behind, b, low, h, g, backward)
        if recording:
            entry[FIELD_SQUARE] = _square_sum(h)
        for i in range(size):
            h[i] += drive[i] + shift[b]
        if backward:
            for i in range(size):
                g[i] += drive[i] + shift_back[b]
        if rule == LOGISTIC:
            _logistic(h, own, low, beta, step, replica, key0, key1, buffer_u)
            if recording:
                entry[LOSS], entry[ENTROPY] = _logistic_loss(h, own, beta, buffer_u, buffer_v)
            if backward:
                entry[BACKWARD_LOSS], _ = _logistic_loss(g, past[b, low : low + size], beta, buffer_u, buffer_v)
        elif rule == SIGN:
            smallest, largest = np.inf, abs(shift[b])
            for i in range(size):
                smallest, largest = min(smallest, abs(h[i])), max(largest, abs(h[i]))
            certain = smallest > 1e-9 * largest  # then nothing is near enough to zero to look closer
            noise = buffer_u[:size] if certain else _rounding(ring, slots, weights, drive, b, low, size)
            for i in range(size):
                if certain or abs(h[i]) > noise[i] + 4.0 * 2.220446049250313e-16 * abs(shift[b]):
                    own[i] = 1 if h[i] > 0.0 else -1
                else:  # a tie, as with discrete couplings
                    u, v = uniforms_at(_ZERO, step, np.uint64((low + i) >> 1), replica, key0, key1)
                    own[i] = 1 if (v if i & 1 else u) >= 0.5 else -1
                    entry[LOSS] += math.log(2.0) if recording else 0.0
                    entry[ENTROPY] += math.log(2.0) if recording else 0.0
        elif rule == PROBIT:
            _fill_normals(buffer_u[:size], low, step, replica, key0, key1)
            for i in range(size):
                own[i] = 1 if beta * h[i] + buffer_u[i] > 0.0 else -1
            if recording:
                entry[LOSS], entry[ENTROPY] = _probit_loss(h, own, beta)
            if backward:
                entry[BACKWARD_LOSS], _ = _probit_loss(g, past[b, low : low + size], beta)
        elif rule == GRADED:
            for i in range(size):
                own[i] = math.tanh(beta * h[i])
        elif rule == GAUSSIAN:
            _fill_normals(buffer_u[:size], low, step, replica, key0, key1)
            for i in range(size):
                own[i] = h[i] + sigma * buffer_u[i]
            constant = size * (0.5 * _LOG_TWO_PI + math.log(sigma))
            if recording:
                entry[LOSS] = constant + 0.5 * _square_sum(buffer_u[:size])
                entry[ENTROPY] = constant + 0.5 * size
            if backward:
                for i in range(size):
                    g[i] = (past[b, low + i] - g[i]) / sigma
                entry[BACKWARD_LOSS] = constant + 0.5 * _square_sum(g)
        else:
            for i in range(size):
                whole_fields[b, low + i] = h[i]
            if backward:  # the tokens before, projected on their reversed field, and its square
                entry[LOSS] = _dot(g, past[b, low : low + size])
                entry[BACKWARD_LOSS] = _square_sum(g)
        if rule != FIELD_ONLY:
            entry[TOTAL] = _sum(own)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REASSOCIATE)
def _dot(x, y):
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i]) * np.float64(y[i])
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def add_blocks(sums, out):
    """Write the sums over blocks, in their order, to ``out (replica, SUMS)``, and clear `sums`."""
    out[:] = 0.0
    for b in range(sums.shape[0]):
        for block in range(sums.shape[1]):
            for k in range(sums.shape[2]):
                out[b, k] += sums[b, block, k]
                sums[b, block, k] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def token_totals(tokens, out):
    """Write the sums over sites, block after block, to ``out (replica,)``."""
    n = tokens.shape[1]
    for b in range(tokens.shape[0]):
        out[b] = 0.0
        for low in range(0, n, BLOCK):
            out[b] += _sum(tokens[b, low : min(low + BLOCK, n)])


@njit(cache=True, nogil=True, error_model="numpy")
def vector_sums(h, token):
    """Return s.h, h.h and the sum of s of one replica."""
    return _dot(h, token), _dot(h, h), _sum(token)


@njit(cache=True, nogil=True, error_model="numpy")
def random_signs(out, lag, first_replica, key0, key1):
    """Fill ``out (replica, site)`` with the signs of the initial token at `lag`."""
    for b in range(out.shape[0]):
        for i in range(out.shape[1]):
            u, v = uniforms_at(_ZERO, np.uint64(lag), np.uint64(i >> 1), np.uint64(first_replica + b), key0, key1)
            out[b, i] = 1 if (v if i & 1 else u) >= 0.5 else -1


@njit(cache=True, nogil=True, error_model="numpy")
def random_directions(out, lag, first_replica, key0, key1):
    """Fill ``out (replica, site)`` with vectors of length sqrt(n), uniform on the sphere."""
    n = out.shape[1]
    for b in range(out.shape[0]):
        row = out[b]
        _fill_normals(row, 0, np.uint64(lag), np.uint64(first_replica + b), key0, key1)
        scale = math.sqrt(n / _square_sum(row))
        for i in range(n):
            row[i] *= scale


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REASSOCIATE)
def _overlap(x, y):
    total = np.int32(0)
    for i in range(x.size):
        total += np.int32(x[i]) * np.int32(y[i])
    return np.float64(total)


@njit(cache=True, nogil=True, error_model="numpy")
def overlap_cells(store, slots, out, magnetization, real, first_cell, last_cell):
    """Write the sums of s_t s_{t - lag} for all lags to ``out (replica, block, lag)``, and add s_t to ``magnetization``.

    ``store (slot, replica, site)`` holds tokens, ``slots[lag]`` says where.
    """
    blocks = out.shape[1]
    n = store.shape[2]
    for cell in range(first_cell, last_cell):
        b, block = cell // blocks, cell % blocks
        low = block * BLOCK
        high = min(low + BLOCK, n)
        now = store[slots[0], b, low:high]
        for lag in range(slots.size):
            before = store[slots[lag], b, low:high]
            out[b, block, lag] = _dot(now, before) if real else _overlap(now, before)
        mean = magnetization[b, low:high]
        for i in range(now.size):
            mean[i] += now[i]
