"""Writes metrics.json: figures of scikit-learn for eval_test.go.

    python3 metrics.py > metrics.json        (scikit-learn 1.9.1)
"""

import json

import numpy as np
from sklearn.metrics import average_precision_score, log_loss, precision_recall_fscore_support

cases = []
rng = np.random.default_rng(7)
for n, share, step, weighted in [(8, 0.5, 0, 0), (40, 0.1, 0, 0), (40, 0.3, 0.5, 0), (200, 0.05, 0.25, 1), (200, 0.5, 0, 1), (30, 0.9, 1, 1)]:
    truth = (rng.random(n) < share).astype(int)
    truth[0], truth[1] = 1, 0
    score = rng.normal(size=n) * 2 + 1.5 * truth - 1
    if step:  # scores that are equal
        score = np.round(score / step) * step
    weight = rng.integers(0, 4, n) if weighted else np.ones(n, int)
    weight[:2] = np.maximum(weight[:2], 1)
    cut = 0.25
    p = 1 / (1 + np.exp(-score))
    precision, recall, f1, _ = precision_recall_fscore_support(truth, score >= cut, average="binary", sample_weight=weight)
    cases.append({
        "truth": truth.tolist(), "score": score.tolist(), "weight": weight.tolist(), "cut": cut,
        "average_precision": average_precision_score(truth, score, sample_weight=weight),
        "precision": precision, "recall": recall, "f1": f1,
        "log_loss": log_loss(truth, p, sample_weight=weight, labels=[0, 1]),
    })
print(json.dumps(cases))
