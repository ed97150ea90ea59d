"""Obvious slow references that every fast routine is checked against."""

from __future__ import annotations

import decimal
import math

import numpy as np

# --- single-site response: power series in 120-digit decimals ---------------------------------------------------------


def bessel_by_power_series(kappa, dim):
    """Return (A, A', A_D - A_{D+2}, log normaliser, entropy) as floats, from series of positive decimals."""

    def hypergeometric(order):  # 0F1(; order; kappa^2 / 4)
        quarter = x * x / 4
        term = total = decimal.Decimal(1)
        k = 0
        while term > total * decimal.Decimal("1e-110"):
            k += 1
            term = term * quarter / (k * (order + k - 1))
            total += term
        return total

    with decimal.localcontext() as context:
        context.prec = 120
        x = decimal.Decimal(float(kappa))
        half = decimal.Decimal(dim) / 2
        zero, one, two = (hypergeometric(half + j) for j in range(3))
        ratio = x / dim * one / zero
        next_ratio = x / (dim + 2) * two / one
        derivative = 1 - ratio**2 - (dim - 1) * ratio / x
        log_normalizer = zero.ln()
        return tuple(
            float(v) for v in (ratio, derivative, ratio - next_ratio, log_normalizer, log_normalizer - x * ratio)
        )


# --- enumeration of few two-valued spins: every state, every pair of states, one at a time ---------------------------


def ising_steady_state_by_loops(couplings, fields, beta, radius, *, sites=None):
    """Return (states, transition, stationary law, entropy production per step) from plain loops.

    `sites` None: parallel dynamics. A list: heat-bath updates of these sites in turn, one step being all of them; then
    the transition matrix is over whole sweeps and the entropy production is summed over paths through the sweep.
    """
    n = len(fields)
    states = [tuple(radius * (2 * int(bit) - 1) for bit in format(k, f"0{n}b")) for k in range(2**n)]
    index = {s: k for k, s in enumerate(states)}

    def field(s, i, cavity):
        return fields[i] + sum(couplings[i][j] * s[j] for j in range(n) if not (cavity and j == i))

    def probability(value, h):
        return math.exp(beta * value * h) / (2 * math.cosh(beta * radius * h))

    def single(site):
        move = np.zeros((2**n, 2**n))
        for s in states:
            for value in (-radius, radius):
                new = (*s[:site], value, *s[site + 1 :])
                move[index[s], index[new]] += probability(value, field(s, site, True))
        return move

    if sites is None:
        moves = [
            np.array(
                [[math.prod(probability(t[i], field(s, i, False)) for i in range(n)) for t in states] for s in states]
            )
        ]
    else:
        moves = [single(site) for site in sites]
    transition = np.linalg.multi_dot([*moves, np.eye(2**n), np.eye(2**n)])
    system = np.vstack([transition.T - np.eye(2**n), np.ones(2**n)])
    law = np.linalg.lstsq(system, np.append(np.zeros(2**n), 1.0), rcond=None)[0]
    production, current = 0.0, law
    for move in moves:
        for a in range(2**n):
            for b in range(2**n):
                if move[a, b] > 0:
                    production += current[a] * move[a, b] * math.log(move[a, b] / move[b, a])
        current = current @ move
    return np.array(states), transition, law, production


# --- closures: loops over sites and components, covariances as full matrices ------------------------------------------


def bessel_ratio_by_quotient(kappa, dim):
    """Return A_D from two scaled Bessel functions (fine for moderate D and kappa), A/kappa and A'."""
    from scipy.special import ive

    if kappa < 1e-6:
        return kappa / dim, 1 / dim, 1 / dim
    a = ive(dim / 2, kappa) / ive(dim / 2 - 1, kappa)
    return a, a / kappa, 1 - a**2 - (dim - 1) * a / kappa


def mean_of_spin(theta, beta, radius):
    """Return the mean of a spin in the field theta."""
    return beta * radius**2 * bessel_ratio_by_quotient(beta * radius * np.linalg.norm(theta), len(theta))[1] * theta


def covariance_of_spin(theta, beta, radius):
    """Return the D x D covariance of a spin in the field theta."""
    dim, norm = len(theta), np.linalg.norm(theta)
    _, over, slope = bessel_ratio_by_quotient(beta * radius * norm, dim)
    unit = theta / norm
    return radius**2 * (over * np.eye(dim) + (slope - over) * np.outer(unit, unit))


def second_derivative_by_differences(function, theta, weight, step):
    """Return sum_ab W_ab d^2 f / dtheta_a dtheta_b, from fourth-order differences along the eigenvectors of W."""
    values, vectors = np.linalg.eigh(weight)
    total = 0.0
    for value, direction in zip(values, vectors.T):
        f = [function(theta + k * step * direction) for k in (-2, -1, 0, 1, 2)]
        total = total + value * (-f[0] + 16 * f[1] - 30 * f[2] + 16 * f[3] - f[4]) / (12 * step**2)
    return total


def delayed_first_order_by_loops(couplings, later, earlier, beta):
    """Return beta J_ij Tr(V_i V_j) from lists of D x D covariances."""
    n = len(later)
    return np.array([[beta * couplings[i][j] * np.trace(later[i] @ earlier[j]) for j in range(n)] for i in range(n)])


def gram_step_by_loops(couplings, fields, beta, radius, means, covariance):
    """Return (m', C', L) of the Gram closure."""
    n, dim = fields.shape
    drive = np.array([fields[i] + sum(couplings[i][j] * means[j] for j in range(n)) for i in range(n)])
    spread = np.zeros((n, n))
    for i in range(n):
        for k in range(n):
            for j in range(n):
                for l in range(n):
                    spread[i, k] += couplings[i][j] * covariance[j, l] * couplings[k][l]
    gain = np.zeros(n)
    for i in range(n):
        strength = math.sqrt(float(drive[i] @ drive[i]) + dim * spread[i, i])
        gain[i] = beta * radius**2 * bessel_ratio_by_quotient(beta * radius * strength, dim)[1]
    after = gain[:, None] * drive
    new, delayed = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        for k in range(n):
            new[i, k] = gain[i] * gain[k] * spread[i, k] if i != k else (radius**2 - after[i] @ after[i]) / dim
            delayed[i, k] = dim * gain[i] * sum(couplings[i][j] * covariance[j, k] for j in range(n))
    return after, new, delayed


def gaussian_averages_by_grid(strength, variance, dim, beta, radius, *, along=801, across=120):
    """Return (F, K_parallel, K_perp, E[s_par^2]) from a dense grid along and across the mean field."""
    x = np.linspace(-9, 9, along)
    weight = np.exp(-(x**2) / 2)
    u, radial = np.zeros(1), np.ones(1)
    if dim > 1:
        u = (np.arange(across) + 0.5) * (11 / across)
        radial = u ** (dim - 2) * np.exp(-(u**2) / 2)
    total = np.zeros(4)
    for xi, w in zip(x, weight):
        forward = strength + math.sqrt(variance) * xi
        for ui, wi in zip(u, radial):
            norm = math.hypot(forward, math.sqrt(variance) * ui)
            cosine = forward / norm if norm > 0 else 0.0
            a, over, slope = bessel_ratio_by_quotient(beta * radius * norm, dim)
            c2 = cosine**2
            rest = (1 - c2) / (dim - 1) if dim > 1 else 0.0
            total += (
                w
                * wi
                * np.array(
                    [
                        radius * a * cosine,
                        beta * radius**2 * (slope * c2 + over * (1 - c2)),
                        beta * radius**2 * (over + (slope - over) * rest),
                        radius**2 * ((1 - (dim - 1) * over) * c2 + over * (1 - c2)),
                    ]
                )
            )
    return total / (weight.sum() * radial.sum())


def gaussian_step_by_loops(couplings, fields, beta, radius, means, blocks, averages):
    """Return (m', C', L) of the Gaussian closure, C as blocks[i][k] of D x D; averages(g, w) -> (F, Kpar, Kperp, E2)."""
    n, dim = fields.shape
    drive = np.array([fields[i] + sum(couplings[i][j] * means[j] for j in range(n)) for i in range(n)])
    spread = [[np.zeros((dim, dim)) for _ in range(n)] for _ in range(n)]
    pulled = [[np.zeros((dim, dim)) for _ in range(n)] for _ in range(n)]
    for i in range(n):
        for k in range(n):
            for j in range(n):
                pulled[i][k] = pulled[i][k] + couplings[i][j] * blocks[j][k]
                for l in range(n):
                    spread[i][k] = spread[i][k] + couplings[i][j] * couplings[k][l] * blocks[j][l]
    after, gains, own = np.zeros((n, dim)), [], []
    for i in range(n):
        norm = np.linalg.norm(drive[i])
        mean, along, across, second = averages(norm, np.trace(spread[i][i]) / dim)
        projector = np.outer(drive[i], drive[i]) / norm**2
        after[i] = mean * drive[i] / norm
        gains.append(along * projector + across * (np.eye(dim) - projector))
        rest = (radius**2 - second) / (dim - 1) if dim > 1 else 0.0
        own.append((second - mean**2) * projector + rest * (np.eye(dim) - projector))
    new = [[gains[i] @ spread[i][k] @ gains[k].T if i != k else own[i] for k in range(n)] for i in range(n)]
    delayed = np.array([[np.trace(gains[i] @ pulled[i][k]) for k in range(n)] for i in range(n)])
    return after, new, delayed


def two_rotors_by_quadrature(couplings, fields, beta, radius, *, nodes=64, steps=60):
    """Return the stationary means of two planar spins without self-coupling, parallel dynamics, on a grid of angles."""
    angle = 2 * np.pi * np.arange(nodes) / nodes
    spin = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def kernel(site, other):  # P(s_site' | s_other), columns normalised
        drive = fields[site][None, :] + couplings[site][other] * spin
        weight = np.exp(beta * spin @ drive.T - beta * radius * np.linalg.norm(drive, axis=1)[None, :])
        return weight / weight.sum(axis=0)

    first, second = kernel(0, 1), kernel(1, 0)
    joint = np.full((nodes, nodes), nodes**-2.0)
    for _ in range(steps):
        # new s_0 depends on old s_1 only, and the reverse
        joint = first @ joint.T @ second.T
    return np.stack([joint.sum(axis=1) @ spin, joint.sum(axis=0) @ spin])


# --- single spins from addressed words: the samplers as published, one word at a time --------------------------------


def heat_bath_spin_by_hand(field, beta, radius, *, seed, stream, step, site, replica):
    """Return the spin that the kernels draw at one address, from the array generator and textbook formulas."""
    from glassformer._core._random import _to_uniform, philox, stream_key

    key, first = stream_key(seed, stream), 1 << 31
    field = np.asarray(field, dtype=float)
    dim = field.size

    def uniforms(block):
        w = philox([block, step, site, replica], key)
        return float(_to_uniform(w[0], w[1])), float(_to_uniform(w[2], w[3]))

    def normals(block):
        u, v = uniforms(block)
        length, angle = math.sqrt(-2 * math.log1p(-u)), 2 * math.pi * v - math.pi / 4
        return length * math.cos(angle), length * math.sin(angle)

    norm = float(np.linalg.norm(field))
    kappa = beta * radius * norm
    u0, u1 = uniforms(first)
    if dim == 1:
        return radius * np.array([1.0 if u0 < 1 / (1 + math.exp(-2 * beta * radius * field[0])) else -1.0])
    if dim == 3:
        w = 1 + math.log((1 - u0) * math.exp(-2 * kappa) + u0) / kappa
        axis = field / norm
        sign = math.copysign(1.0, axis[2])  # the frame of Duff et al. 2017
        a = -1 / (sign + axis[2])
        e1 = np.array([1 + sign * axis[0] ** 2 * a, sign * axis[0] * axis[1] * a, -sign * axis[0]])
        e2 = np.array([axis[0] * axis[1] * a, sign + axis[1] ** 2 * a, -axis[1]])
        turn = math.cos(2 * math.pi * u1) * e1 + math.sin(2 * math.pi * u1) * e2
        return radius * (w * axis + math.sqrt(1 - w * w) * turn)
    block = first + 1
    b = (dim - 1) / (2 * kappa + math.sqrt(4 * kappa**2 + (dim - 1) ** 2))
    x0 = (1 - b) / (1 + b)
    c = kappa * x0 + (dim - 1) * math.log(1 - x0**2)

    def accepts(w, u):
        return kappa * w + (dim - 1) * math.log(1 - x0 * w) - c >= math.log(1 - u)

    if dim == 2:
        while True:
            side, u = (1, 2 * u0) if u0 < 0.5 else (-1, 2 * u0 - 1)
            z = math.sin(math.pi * u / 2) ** 2
            w = (1 - (1 + b) * z) / (1 - (1 - b) * z)
            if accepts(w, u1):
                across = side * np.array([-field[1], field[0]]) / norm
                return radius * (w * field / norm + math.sqrt(1 - w * w) * across)
            u0, u1 = uniforms(block)
            block += 1
    g = np.array([normals(k) for k in range((dim + 1) // 2)]).ravel()[:dim]
    axis = field / norm
    along = float(g @ axis)
    tangent = g - along * axis

    def gamma(normal, u):  # shape (dim - 1) / 2; Marsaglia and Tsang 2000
        nonlocal block
        d = (dim - 1) / 2 - 1 / 3
        while True:
            v = (1 + normal / math.sqrt(9 * d)) ** 3
            if v > 0 and math.log(1 - u) < normal**2 / 2 + d - d * v + d * math.log(v):
                return d * v
            normal, u = normals(block)[0], uniforms(block + 1)[0]
            block += 2

    one, normal, u = 0.5 * float(tangent @ tangent), along, u0
    while True:
        two = gamma(normal, u)
        z = one / (one + two)
        w = (1 - (1 + b) * z) / (1 - (1 - b) * z)
        if accepts(w, u1):
            return radius * (w * axis + math.sqrt(1 - w * w) * tangent / np.linalg.norm(tangent))
        (n0, normal), (a0, u) = normals(block), uniforms(block + 1)
        block += 2
        one = gamma(n0, a0)
        u1 = uniforms(block)[0]
        block += 1


# --- extended-context models: two-time correlations by double sums, and a simulation of the rules as they are written ----


def pair_average_by_grid(f, mean_a, mean_b, qa, qb, q, *, reach=9.0, points=361):
    """Return E f(x) f(y) of two Gaussian fields, by the trapezoid rule in two independent normal variables."""
    z = np.linspace(-reach, reach, points)
    weight = np.exp(-0.5 * z**2)
    weight /= weight.sum()
    rho = min(1.0, max(-1.0, q / math.sqrt(qa * qb)))
    x = mean_a + math.sqrt(qa) * z[:, None]
    y = mean_b + math.sqrt(qb) * (rho * z[:, None] + math.sqrt(1.0 - rho**2) * z[None, :])
    return float(weight @ (f(x) * f(y)) @ weight)


def context_transient_by_loops(
    gamma, steps, overlaps, *, variant, beta=1.0, sigma=1.0, mean=None, field=0.0, means=0.0
):
    """Return (C, m), earliest time first, from the equations entry by entry; `overlaps` (lag, lag_) of the start."""
    from scipy.special import erf

    context = len(gamma)
    drift = np.zeros(context) if mean is None else np.asarray(mean)
    first = dict(zip(range(0, -context, -1), np.broadcast_to(means, context)))
    c = {(-k, -l): float(overlaps[k][l]) for k in range(context) for l in range(context)}
    m, q, mu = dict(first), {}, {}
    f = {"probit": lambda h: erf(beta * h / math.sqrt(2.0))}.get(variant, lambda h: np.tanh(beta * h))
    for t in range(1, steps + 1):
        mu[t] = sum(drift[k - 1] * m[t - k] for k in range(1, context + 1)) + field
        for u in range(1, t + 1):
            lags = range(1, context + 1)
            q[t, u] = sum(gamma[k - 1][l - 1] * c[t - k, u - l] for k in lags for l in lags)
        power = q[t, t] + mu[t] ** 2
        if variant == "gaussian":
            m[t], c[t, t] = mu[t], power + sigma**2
        elif variant == "spherical":
            gain = {}
            for u in (*range(1, t), t):
                p = q[u, u] + mu[u] ** 2
                gain[u] = p**-0.5 if math.isinf(beta) else 2 * beta / (1 + math.sqrt(1 + 4 * beta**2 * p))
            m[t], c[t, t] = gain[t] * mu[t], 1.0
        else:
            z = np.linspace(-9.0, 9.0, 2001)
            weight = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
            m[t] = float(weight @ f(mu[t] + math.sqrt(q[t, t]) * z))
            square = float(weight @ f(mu[t] + math.sqrt(q[t, t]) * z) ** 2)
            c[t, t] = square if variant == "graded" else 1.0
        for u in range(1, t):
            if variant == "gaussian":
                c[t, u] = q[t, u] + mu[t] * mu[u]
            elif variant == "spherical":
                c[t, u] = gain[t] * gain[u] * (q[t, u] + mu[t] * mu[u])
            else:
                c[t, u] = pair_average_by_grid(f, mu[t], mu[u], q[t, t], q[u, u], q[t, u])
        for u in range(1 - context, 1):
            c[t, u] = m[t] * m[u]
        for u in range(1 - context, t):
            c[u, t] = c[t, u]
    times = range(1 - context, steps + 1)
    return np.array([[c[t, u] for u in times] for t in times]), np.array([m[t] for t in times])


def context_path_by_hand(couplings, fields, history, steps, *, variant, beta=1.0, sigma=1.0, seed=0):
    """Return tokens (time, site), the K of `history` (most recent first) reversed and then `steps` more."""
    random = np.random.default_rng(seed)
    n = couplings.shape[1]
    tokens = list(np.asarray(history)[::-1])
    for _ in range(steps):
        h = fields + sum(couplings[k] @ tokens[-1 - k] for k in range(len(couplings)))
        if variant == "gaussian":
            s = h + sigma * random.normal(size=n)
        elif variant == "graded":
            s = np.tanh(beta * h)
        elif variant == "probit":
            s = np.where(h + random.normal(size=n) / beta > 0.0, 1.0, -1.0)
        elif variant == "spherical":  # at large N a Gaussian whose multiplier keeps the length
            length = math.sqrt(h @ h / n)
            if math.isinf(beta):
                s = h / length
            else:
                multiplier = 0.5 * (1 + math.sqrt(1 + 4 * (beta * length) ** 2))
                s = beta / multiplier * h + random.normal(size=n) / math.sqrt(multiplier)
                s *= math.sqrt(n / (s @ s))
        elif math.isinf(beta):
            s = np.where(h > 0.0, 1.0, np.where(h < 0.0, -1.0, random.choice([-1.0, 1.0], size=n)))
        else:
            s = np.where(random.random(n) < 0.5 * (1.0 + np.tanh(beta * h)), 1.0, -1.0)
        tokens.append(s)
    return np.array(tokens)


# --- extended-context models: fields, tokens and averages, one sum after another --------------------------------------


def random_covariance(context, *, seed):
    """Return a positive semidefinite matrix of trace 1 with entries of both signs."""
    factors = np.random.default_rng(seed).standard_normal((context, max(1, context // 2)))
    gamma = factors @ factors.T
    return gamma / np.trace(gamma)


def context_field(couplings, fields, path):
    """Return h_i = theta_i + sum_k sum_j J_k,ij s_{t-k},j for the path s_.., s_{t-1}."""
    lags, n, _ = couplings.shape
    return np.array(
        [fields[i] + sum(couplings[k][i][j] * path[-1 - k][j] for k in range(lags) for j in range(n)) for i in range(n)]
    )


def context_token(rule, h, uniforms, normals):
    """Return the token that these random numbers draw in the field h; a tie takes the uniform."""
    n = len(h)
    if rule.variant == "gaussian":
        return np.array([h[i] + rule.sigma * normals[i] for i in range(n)])
    if math.isinf(rule.beta):
        if rule.variant == "spherical":
            return math.sqrt(n) * h / math.sqrt(sum(x * x for x in h))
        return np.array(
            [math.copysign(1, h[i]) if abs(h[i]) > 1e-13 else (1 if uniforms[i] >= 0.5 else -1) for i in range(n)]
        )
    if rule.variant == "graded":
        return np.array([math.tanh(rule.beta * x) for x in h])
    if rule.variant == "probit":
        return np.array([1 if rule.beta * h[i] + normals[i] > 0 else -1 for i in range(n)])
    logits = [math.log(u) - math.log1p(-u) if u > 0 else -math.inf for u in uniforms]
    return np.array([1 if 2 * rule.beta * h[i] + logits[i] >= 0 else -1 for i in range(n)])


def _context_loss(rule, h, s):
    """Return (-log p(s), entropy) of one token in the field h; None where the rule has no law of tokens."""
    n = len(h)
    if rule.variant == "gaussian":
        constant = n * 0.5 * math.log(2 * math.pi * rule.sigma**2)
        return constant + sum((s - h) ** 2) / (2 * rule.sigma**2), constant + n / 2
    if rule.variant == "spherical" and not math.isinf(rule.beta):
        from scipy.special import ive

        nu, kappa = n / 2 - 1, rule.beta * math.sqrt(n) * math.sqrt(sum(h * h))
        # integral of exp(kappa w) over the sphere of radius sqrt(n)
        log_z = n / 2 * math.log(2 * math.pi) + math.log(ive(nu, kappa)) + kappa - nu * math.log(kappa)
        log_z += (n - 1) / 2 * math.log(n)
        ratio = ive(nu + 1, kappa) / ive(nu, kappa)
        return log_z - rule.beta * sum(s * h), log_z - kappa * ratio
    if rule.variant in ("graded", "spherical") and not (rule.variant == "graded" and math.isinf(rule.beta)):
        return None
    if math.isinf(rule.beta):
        return 0.0, 0.0
    loss = entropy = 0.0
    for x, sign in zip(h, s):
        up = (
            0.5 * (1 + math.tanh(rule.beta * x))
            if rule.variant == "ising"
            else 0.5 * math.erfc(-rule.beta * x / math.sqrt(2))
        )
        loss -= math.log(up if sign > 0 else 1 - up)
        entropy -= up * math.log(up) + (1 - up) * math.log(1 - up)
    return loss, entropy


def context_averages(model, rule, before, tokens, *, lags, delay=None):
    """Return the averages of `simulate` from ``tokens (replica, time, site)`` that follow ``before``."""
    replicas, steps, n = tokens.shape
    context, couplings = model.context, model.couplings.matrices
    delay = context + 1 if delay is None else delay
    mean = model.couplings.mean
    squares, losses, entropies, productions = [], [], [], []
    for b in range(replicas):
        path = [*before[b], *tokens[b]]
        first = before.shape[1]
        for t in range(first, first + steps):
            h = context_field(couplings, model.fields, path[:t])
            drift = sum(mean[k] * np.mean(path[t - 1 - k]) for k in range(context))
            squares.append(np.mean((h - model.fields - drift) ** 2))
            scored = _context_loss(rule, h, path[t])
            if scored is None:
                continue
            losses.append(scored[0] / n)
            entropies.append(scored[1] / n)
            has_reversal = rule.variant != "graded" and (rule.variant == "gaussian" or math.isfinite(rule.beta))
            if has_reversal and t + delay < first + steps:
                reverse = context_field(couplings, model.fields, path[t + 1 : t + 1 + context][::-1])
                productions.append(_context_loss(rule, reverse, path[t])[0] - scored[0])
    found = {
        "autocorrelation": [
            np.mean([np.dot(tokens[b, t + lag], tokens[b, t]) / n for b in range(replicas) for t in range(steps - lag)])
            for lag in range(lags + 1)
        ],
        "magnetization_mean": tokens.mean(),
        "q0": np.mean(squares),
    }
    if losses:
        found |= {"loss": np.mean(losses), "entropy_rate": np.mean(entropies)}
    if productions:
        found["entropy_production"] = np.mean(productions)
    return found
