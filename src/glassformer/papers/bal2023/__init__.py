"""M. Bal, Spin-Model Transformers, 2023: vector spins, and the kinetic Ising model."""
