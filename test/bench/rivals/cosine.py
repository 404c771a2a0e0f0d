"""cosine.py FILE PRODUCTS THREADS: the 100 most similar products of each by implicit's C++ cosine, from histories of footfall."""

import json
import resource
import sys
import time

import numpy
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix

path, products, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
numbers = numpy.fromfile(path, dtype=numpy.int32)
shoppers, events = int(numbers[0]), int(numbers[1])
start, product = numbers[2 : shoppers + 3], numbers[shoppers + 3 : shoppers + 3 + events]
matrix = csr_matrix((numpy.ones(events, dtype=numpy.float32), product, start), shape=(shoppers, products))
matrix.sum_duplicates()
matrix.data[:] = 1
started, before = time.perf_counter(), time.process_time()
CosineRecommender(K=100, num_threads=threads).fit(matrix, show_progress=False)
print(
    json.dumps(
        {
            "seconds": time.perf_counter() - started,
            "cpuSeconds": time.process_time() - before,
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        }
    )
)
