"""Whether the intervals of estimated areas hold the truth, and what counting pixels does.

    python -m benchmarks.areas_coverage [REPETITIONS]

Landscapes of known truth and maps of known errors; samples of several sizes and designs.
"""

from __future__ import annotations

import sys

import numpy as np

from lulc.estimators import estimate
from lulc.points import allocate

#: Hectares; rows are the map, columns the truth. The last class of the second is rare.
LANDSCAPES = {
    "three classes": [[8000, 500, 1500], [1000, 15000, 4000], [3000, 2000, 65000]],
    "with a rare class": [[30000, 2000, 40], [3000, 60000, 60], [50, 50, 800]],
}


def main(repetitions: int = 1000) -> None:
    """Print the share of samples whose intervals hold the truth, class by class."""
    random = np.random.default_rng(0)
    print(f"{'landscape':18} {'design':13} {'size':>5}  coverage by class      overall")
    for name, table in LANDSCAPES.items():
        true = np.array(table, float)
        mapped, real = true.sum(axis=1), true.sum(axis=0)
        right = np.trace(true) / true.sum()
        users = np.diagonal(true) / mapped
        for design in ("proportional", "olofsson", "neyman"):
            for size in (300, 1000):
                points = allocate(size, design, (mapped * 100).astype(int).tolist(), users)
                hits = np.zeros(len(true) + 1)
                for _ in range(repetitions):
                    counts = [
                        random.multinomial(n, row / row.sum())
                        for n, row in zip(points, true, strict=True)
                    ]
                    found = estimate(counts, mapped)
                    hits[:-1] += abs(found.area - real) <= found.area_ci
                    hits[-1] += abs(found.overall_accuracy - right) <= found.overall_accuracy_ci
                shares = " ".join(f"{share:6.1%}" for share in hits[:-1] / repetitions)
                overall = hits[-1] / repetitions
                print(f"{name:18} {design:13} {size:5}  {shares:21}  {overall:6.1%}")
        off = " ".join(f"{share:+6.1%}" for share in mapped / real - 1)
        print(f"{name:18} counting pixels is off by {off}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
