"""Where bytes come from: each reader yields raw batches and knows the position after each of them."""
