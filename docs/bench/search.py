"""Exact top-100 over N x 768 unit vectors: NumPy, FAISS flat in f32, FAISS in f16.

    python search.py [N] [THREADS]

Prints the fastest and the median search of each, to be read beside what
"sigla bench --catalog N" prints on the same machine at the same time.
"""
import os
import sys
import time

N = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
THREADS = int(sys.argv[2]) if len(sys.argv) > 2 else os.cpu_count()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(THREADS)

import faiss
import numpy as np

DIM, TOP, SECONDS = 768, 100, 4


def units(n, seed):
    x = np.random.default_rng(seed).standard_normal((n, DIM), dtype=np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def measure(name, search):
    times, begin, i = [], time.perf_counter(), 0
    while time.perf_counter() - begin < SECONDS or len(times) < 10:
        query = queries[i % len(queries)]
        start = time.perf_counter()
        search(query)
        times.append(time.perf_counter() - start)
        i += 1
    times.sort()
    print(f"{name:12s} {times[0] * 1e3:6.2f} ms, median {times[len(times) // 2] * 1e3:6.2f} ms", flush=True)


def top(query):
    scores = photos @ query
    best = np.argpartition(scores, -TOP)[-TOP:]
    return best[np.argsort(-scores[best])]


photos, queries = units(N, 1), units(64, 2)
faiss.omp_set_num_threads(THREADS)
print(f"{N} x {DIM}, {THREADS} threads, numpy {np.__version__}, faiss {faiss.__version__}")
measure("numpy f32", top)
flat = faiss.IndexFlatIP(DIM)
flat.add(photos)
measure("faiss f32", lambda q: flat.search(q[None], TOP))
half = faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
half.train(photos[:1000])
half.add(photos)
measure("faiss f16", lambda q: half.search(q[None], TOP))
