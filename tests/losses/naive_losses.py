"""Each loss written from its paper, pair by pair in float64, to be compared with the library's."""

import numpy as np


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def distances(x):
    return np.array([[np.linalg.norm(a - b) for b in x] for a in x])


def contrastive_pair(distance, same, margin):
    return distance**2 / 2 if same else max(0.0, margin - distance) ** 2 / 2


def twins(x, y, margin):
    return np.mean(
        [contrastive_pair(np.linalg.norm(x[i] - x[i + 1]), y[i] == y[i + 1], margin) for i in range(0, len(x), 2)]
    )


def batch_contrastive(x, y, margin):
    kinds = {True: [], False: []}
    for i in range(len(x)):
        for j in range(len(x)):
            if i != j:
                same = bool(y[i] == y[j])
                kinds[same].append(contrastive_pair(np.linalg.norm(x[i] - x[j]), same, margin))
    return sum(np.mean(costs) if costs else 0.0 for costs in kinds.values()) / 2


def mixed_twins(x, targets, margin):
    costs = []
    for i in range(0, len(x), 2):
        d, alike = np.linalg.norm(x[i] - x[i + 1]), agreement(targets[i : i + 2])[0, 1]
        costs.append(alike * contrastive_pair(d, True, margin) + (1 - alike) * contrastive_pair(d, False, margin))
    return np.mean(costs)


def mixed_batch_contrastive(x, targets, margin):
    d, alike = distances(x), agreement(targets)
    pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if i != j]
    sides = [
        np.average([contrastive_pair(d[p], same, margin) for p in pairs], weights=[weights[p] for p in pairs])
        for same, weights in ((True, alike), (False, 1 - alike))
    ]
    return sum(sides) / 2


def all_triplets(y):
    n = range(len(y))
    return [(a, p, q) for a in n for p in n for q in n if a != p and y[a] == y[p] and y[a] != y[q]]


def triplet(x, y, margin, keep=lambda d, a, p, n: True):
    """Mean over the triplets that cost anything; ``margin`` None is the soft margin."""
    d = distances(x)
    gaps = [d[a, p] - d[a, n] for a, p, n in all_triplets(y) if keep(d, a, p, n)]
    costs = [np.log1p(np.exp(g)) if margin is None else max(0.0, g + margin) for g in gaps]
    costs = [c for c in costs if c > 0]
    return np.mean(costs) if costs else 0.0


def batch_hard(x, y, margin):
    d, costs = distances(x), []
    for a in range(len(x)):
        positives = [d[a, j] for j in range(len(x)) if j != a and y[j] == y[a]]
        negatives = [d[a, j] for j in range(len(x)) if y[j] != y[a]]
        if positives and negatives:
            costs.append(max(0.0, max(positives) - min(negatives) + margin))
    costs = [c for c in costs if c > 0]
    return np.mean(costs) if costs else 0.0


def weighted_supcon(x, weights, temperature):
    costs = []
    for i in range(len(x)):
        others = [j for j in range(len(x)) if j != i]
        denominator = sum(np.exp(x[i] @ x[j] / temperature) for j in others)
        mass = sum(weights[i, j] for j in others)
        if mass > 0:
            terms = [weights[i, j] * np.log(np.exp(x[i] @ x[j] / temperature) / denominator) for j in others]
            costs.append(-sum(terms) / mass)
    return np.mean(costs) if costs else 0.0


def supcon(x, y, temperature):
    return weighted_supcon(x, (y[:, None] == y[None, :]).astype(float), temperature)


def agreement(distributions, sharpness=1.0):
    n = len(distributions)
    return np.array(
        [[sum(map(min, distributions[i], distributions[j])) ** sharpness for j in range(n)] for i in range(n)]
    )


def ntxent(x, y, temperature):
    costs = []
    for a in range(len(x)):
        negatives = [np.exp(x[a] @ x[j] / temperature) for j in range(len(x)) if y[j] != y[a]]
        for p in range(len(x)):
            if negatives and p != a and y[p] == y[a]:
                own = np.exp(x[a] @ x[p] / temperature)
                costs.append(-np.log(own / (own + sum(negatives))))
    return np.mean(costs) if costs else 0.0


def mixed_ntxent(x, targets, temperature):
    alike, costs, weights = agreement(targets), [], []
    for a in range(len(x)):
        others = [j for j in range(len(x)) if j != a]
        against = sum((1 - alike[a, j]) * np.exp(x[a] @ x[j] / temperature) for j in others)
        for p in others:
            own = np.exp(x[a] @ x[p] / temperature)
            costs.append(-np.log(own / (own + against)))
            weights.append(alike[a, p])
    return np.average(costs, weights=weights)


def multi_similarity(x, y, alpha, beta, base, epsilon=None):
    """``epsilon`` None takes all pairs, else the paper's mining."""
    costs = []
    for a in range(len(x)):
        positives = [x[a] @ x[j] for j in range(len(x)) if j != a and y[j] == y[a]]
        negatives = [x[a] @ x[j] for j in range(len(x)) if y[j] != y[a]]
        if epsilon is not None:
            hardest = max(negatives, default=-np.inf), min(positives, default=np.inf)
            positives = [s for s in positives if s - epsilon < hardest[0]]
            negatives = [s for s in negatives if s + epsilon > hardest[1]]
        pull = np.log1p(sum(np.exp(-alpha * (s - base)) for s in positives)) / alpha
        push = np.log1p(sum(np.exp(beta * (s - base)) for s in negatives)) / beta
        costs.append(pull + push)
    return np.mean(costs)


def circle(x, y, m, scale):
    costs = []
    for a in range(len(x)):
        positives = [x[a] @ x[j] for j in range(len(x)) if j != a and y[j] == y[a]]
        negatives = [x[a] @ x[j] for j in range(len(x)) if y[j] != y[a]]
        if positives and negatives:
            pull = sum(np.exp(-scale * max(0.0, 1 + m - s) * (s - 1 + m)) for s in positives)
            push = sum(np.exp(scale * max(0.0, s + m) * (s - m)) for s in negatives)
            costs.append(np.log1p(pull * push))
    costs = [c for c in costs if c > 0]
    return np.mean(costs) if costs else 0.0


def proxy_anchor(x, y, proxies, margin, alpha):
    proxies = unit(proxies)
    pull, push = [], []
    for c, proxy in enumerate(proxies):
        own = [np.exp(-alpha * (v @ proxy - margin)) for v, label in zip(x, y, strict=True) if label == c]
        rest = [np.exp(alpha * (v @ proxy + margin)) for v, label in zip(x, y, strict=True) if label != c]
        if own:
            pull.append(np.log1p(sum(own)))
        push.append(np.log1p(sum(rest)))
    return sum(pull) / len(pull) + sum(push) / len(proxies)


def softmax_cross_entropy(scores, y):
    return np.mean([-np.log(np.exp(row[label]) / np.exp(row).sum()) for row, label in zip(scores, y, strict=True)])


def proxy_nca(x, y, proxies, scale):
    squared = ((x[:, None] - unit(proxies)[None]) ** 2).sum(axis=2)
    return softmax_cross_entropy(-scale * squared, y)


def margin_softmax(x, y, weights, scale, shift):
    """``weights`` (classes, centres, d); ``shift`` lowers the cosine of the own class."""
    scores = np.array([[max(v @ w / np.linalg.norm(w) for w in own) for own in weights] for v in x])
    for i, label in enumerate(y):
        scores[i, label] = shift(scores[i, label])
    return softmax_cross_entropy(scale * scores, y)


def arc(margin_degrees):
    margin = np.radians(margin_degrees)

    def shift(cosine):
        angle = np.arccos(cosine)
        return np.cos(angle + margin) if angle <= np.pi - margin else cosine - margin * np.sin(margin)

    return shift


def cross_entropy(logits, targets, smoothing=0.0, weights=None, offsets=0.0):
    n, c = logits.shape
    weights = np.ones(c) if weights is None else np.asarray(weights)
    total = 0.0
    for row, target in zip(logits + offsets, targets, strict=True):
        log_p = row - np.log(np.exp(row).sum())
        total -= sum(weights[k] * (target[k] * (1 - smoothing) + smoothing / c) * log_p[k] for k in range(c))
    return total / n


def squared_hinge(logits, y):
    total = 0.0
    for row, label in zip(logits, y, strict=True):
        total += sum(max(0.0, 1 - (1 if k == label else -1) * score) ** 2 for k, score in enumerate(row))
    return total / len(y)
