"""Read and write files safely: strict JSON, digests, folders that appear complete or not at all."""
