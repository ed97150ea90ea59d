"""J. A. Zavatone-Veth and C. Pehlevan, extended-context disordered kinetic models, 2025; one file per group of outputs."""
