"""B. Honkoop, Statistical Physics of Transformers, MSc thesis, Leiden 2025; one file per group of figures."""
