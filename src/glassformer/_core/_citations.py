"""The sources of every method, so that a result can name exactly what it used."""

from __future__ import annotations

from dataclasses import dataclass

from glassformer._core._errors import invalid


@dataclass(frozen=True)
class Source:
    """One entry of the bibliography."""

    key: str
    author: str
    title: str
    where: str
    year: int

    @property
    def text(self) -> str:
        """The entry as one line of prose."""
        return f"{self.author} ({self.year}). {self.title}. {self.where}."

    @property
    def bibtex(self) -> str:
        """The entry as BibTeX."""
        return (
            f"@misc{{{self.key},\n  author = {{{self.author}}},\n  title = {{{self.title}}},\n"
            f"  howpublished = {{{self.where}}},\n  year = {{{self.year}}}\n}}"
        )


def _source(key: str, author: str, title: str, where: str, year: int) -> Source:
    return Source(key=key, author=author, title=title, where=where, year=year)


SOURCES: dict[str, Source] = {
    source.key: source
    for source in (
        _source(
            "honkoop2025",
            "Honkoop, B.",
            "Statistical Physics of Transformers",
            "MSc thesis, Leiden University",
            2025,
        ),
        _source("bal2023", "Bal, M.", "Spin-Model Transformers", "Online article", 2023),
        _source("bal2026", "Bal, M.", "Nonequilibrium Dynamics in Spin-Model Transformers", "Online article", 2026),
        _source(
            "su2021",
            "Su, J. and others",
            "RoFormer: enhanced transformer with rotary position embedding",
            "arXiv:2104.09864",
            2021,
        ),
        _source(
            "ainslie2023",
            "Ainslie, J. and others",
            "GQA: training generalized multi-query transformer models from multi-head checkpoints",
            "arXiv:2305.13245",
            2023,
        ),
        _source(
            "lehoucq1998",
            "Lehoucq, R. B. and Sorensen, D. C. and Yang, C.",
            "ARPACK users' guide: solution of large-scale eigenvalue problems with implicitly restarted Arnoldi methods",
            "SIAM",
            1998,
        ),
        _source(
            "agarwal1972",
            "Agarwal, G. S.",
            "Fluctuation-dissipation theorems for systems in non-thermal equilibrium and applications",
            "Zeitschrift fuer Physik 252, 25",
            1972,
        ),
        _source(
            "hasselmann1988",
            "Hasselmann, K.",
            "PIPs and POPs: the reduction of complex dynamical systems using principal interaction and oscillation patterns",
            "Journal of Geophysical Research 93, 11015",
            1988,
        ),
        _source("glassformer", "The Glassformer developers", "Glassformer", "Software", 2026),
        _source(
            "amos1974",
            "Amos, D. E.",
            "Computation of modified Bessel functions and their ratios",
            "Mathematics of Computation 28, 239",
            1974,
        ),
        _source(
            "wood1994",
            "Wood, A. T. A.",
            "Simulation of the von Mises Fisher distribution",
            "Communications in Statistics - Simulation and Computation 23, 157",
            1994,
        ),
        _source(
            "best1979",
            "Best, D. J. and Fisher, N. I.",
            "Efficient simulation of the von Mises distribution",
            "Applied Statistics 28, 152",
            1979,
        ),
        _source(
            "marsaglia2000",
            "Marsaglia, G. and Tsang, W. W.",
            "A simple method for generating gamma variables",
            "ACM Transactions on Mathematical Software 26, 363",
            2000,
        ),
        _source(
            "salmon2011",
            "Salmon, J. K. and Moraes, M. A. and Dror, R. O. and Shaw, D. E.",
            "Parallel random numbers: as easy as 1, 2, 3",
            "Proceedings of SC11",
            2011,
        ),
        _source(
            "plefka1982",
            "Plefka, T.",
            "Convergence condition of the TAP equation for the infinite-ranged Ising spin glass model",
            "Journal of Physics A 15, 1971",
            1982,
        ),
        _source(
            "thouless1977",
            "Thouless, D. J. and Anderson, P. W. and Palmer, R. G.",
            "Solution of 'Solvable model of a spin glass'",
            "Philosophical Magazine 35, 593",
            1977,
        ),
        _source(
            "roudi2011",
            "Roudi, Y. and Hertz, J.",
            "Dynamical TAP equations for non-equilibrium Ising spin glasses",
            "Journal of Statistical Mechanics P03031, arXiv:1103.1044",
            2011,
        ),
        _source(
            "mezard2011",
            "Mezard, M. and Sakellariou, J.",
            "Exact mean-field inference in asymmetric kinetic Ising systems",
            "Journal of Statistical Mechanics L07001",
            2011,
        ),
        _source(
            "aguilera2021",
            "Aguilera, M. and Moosavi, S. A. and Shimazaki, H.",
            "A unifying framework for mean-field theories of asymmetric kinetic Ising systems",
            "Nature Communications 12, 1197, arXiv:2002.04309",
            2021,
        ),
        _source(
            "opper2001",
            "Opper, M. and Winther, O.",
            "Adaptive and self-averaging Thouless-Anderson-Palmer mean-field theory",
            "Physical Review E 64, 056131",
            2001,
        ),
        _source(
            "stanley1968",
            "Stanley, H. E.",
            "Spherical model as the limit of infinite spin dimensionality",
            "Physical Review 176, 718",
            1968,
        ),
        _source(
            "peretto1984",
            "Peretto, P.",
            "Collective properties of neural networks: a statistical physics approach",
            "Biological Cybernetics 50, 51",
            1984,
        ),
        _source(
            "sherrington1975",
            "Sherrington, D. and Kirkpatrick, S.",
            "Solvable model of a spin-glass",
            "Physical Review Letters 35, 1792",
            1975,
        ),
        _source(
            "crisanti1987",
            "Crisanti, A. and Sompolinsky, H.",
            "Dynamics of spin systems with randomly asymmetric bonds",
            "Physical Review A 36, 4922",
            1987,
        ),
        _source(
            "creutz1987",
            "Creutz, M.",
            "Overrelaxation and Monte Carlo simulation",
            "Physical Review D 36, 515",
            1987,
        ),
        _source(
            "swendsen1986",
            "Swendsen, R. H. and Wang, J.-S.",
            "Replica Monte Carlo simulation of spin-glasses",
            "Physical Review Letters 57, 2607",
            1986,
        ),
        _source(
            "bhatt1988",
            "Bhatt, R. N. and Young, A. P.",
            "Numerical studies of Ising spin glasses in two, three, and four dimensions",
            "Physical Review B 37, 5606",
            1988,
        ),
        _source(
            "hukushima1996",
            "Hukushima, K. and Nemoto, K.",
            "Exchange Monte Carlo method and application to spin glass simulations",
            "Journal of the Physical Society of Japan 65, 1604",
            1996,
        ),
        _source(
            "katzgraber2001",
            "Katzgraber, H. G. and Palassini, M. and Young, A. P.",
            "Monte Carlo simulations of spin glasses at low temperatures",
            "Physical Review B 63, 184422",
            2001,
        ),
        _source(
            "katzgraber2006",
            "Katzgraber, H. G. and Trebst, S. and Huse, D. A. and Troyer, M.",
            "Feedback-optimized parallel tempering Monte Carlo",
            "Journal of Statistical Mechanics P03018",
            2006,
        ),
        _source(
            "sokal1997",
            "Sokal, A.",
            "Monte Carlo methods in statistical mechanics: foundations and new algorithms",
            "Functional Integration, Springer",
            1997,
        ),
        _source(
            "flyvbjerg1989",
            "Flyvbjerg, H. and Petersen, H. G.",
            "Error estimates on averages of correlated data",
            "Journal of Chemical Physics 91, 461",
            1989,
        ),
        _source(
            "shirts2008",
            "Shirts, M. R. and Chodera, J. D.",
            "Statistically optimal analysis of samples from multiple equilibrium states",
            "Journal of Chemical Physics 129, 124105",
            2008,
        ),
        _source(
            "katzgraber2001",
            "Katzgraber, H. G. and Palassini, M. and Young, A. P.",
            "Monte Carlo simulations of spin glasses at low temperatures",
            "Physical Review B 63, 184422",
            2001,
        ),
        _source(
            "metropolis1953",
            "Metropolis, N. and Rosenbluth, A. W. and Rosenbluth, M. N. and Teller, A. H. and Teller, E.",
            "Equation of state calculations by fast computing machines",
            "Journal of Chemical Physics 21, 1087",
            1953,
        ),
        _source(
            "esposito2010",
            "Esposito, M. and Van den Broeck, C.",
            "Three faces of the second law",
            "Physical Review E 82, 011143, arXiv:0911.2666",
            2010,
        ),
        _source(
            "anderson1965",
            "Anderson, D. G.",
            "Iterative procedures for nonlinear integral equations",
            "Journal of the ACM 12, 547",
            1965,
        ),
        _source(
            "grassmann1985",
            "Grassmann, W. K. and Taksar, M. I. and Heyman, D. P.",
            "Regenerative analysis and steady state distributions for Markov chains",
            "Operations Research 33, 1107",
            1985,
        ),
        _source(
            "stanley1969",
            "Stanley, H. E.",
            "Exact solution for a linear chain of isotropically interacting classical spins of arbitrary dimensionality",
            "Physical Review 179, 570",
            1969,
        ),
        _source(
            "boumal2016",
            "Boumal, N. and Voroninski, V. and Bandeira, A. S.",
            "The non-convex Burer-Monteiro approach works on smooth semidefinite programs",
            "Advances in Neural Information Processing Systems 29, see arXiv:1804.02008",
            2016,
        ),
        _source(
            "aspelmeier2004",
            "Aspelmeier, T. and Moore, M. A.",
            "Generalized Bose-Einstein phase transition in large-m component spin glasses",
            "Physical Review Letters 92, 077201, arXiv:cond-mat/0310531",
            2004,
        ),
        _source(
            "hastings2000",
            "Hastings, M. B.",
            "Ground state and spin-glass phase of the large-N infinite-range spin glass via supersymmetry",
            "Journal of Statistical Physics 99, 171",
            2000,
        ),
        _source(
            "young1954",
            "Young, D.",
            "Iterative methods for solving partial difference equations of elliptic type",
            "Transactions of the American Mathematical Society 76, 92",
            1954,
        ),
        _source(
            "almeida1978",
            "de Almeida, J. R. L. and Thouless, D. J.",
            "Stability of the Sherrington-Kirkpatrick solution of a spin glass model",
            "Journal of Physics A 11, 983",
            1978,
        ),
        _source(
            "gabay1981",
            "Gabay, M. and Toulouse, G.",
            "Coexistence of spin-glass and ferromagnetic orderings",
            "Physical Review Letters 47, 201",
            1981,
        ),
        _source(
            "zavatone2025",
            "Zavatone-Veth, J. A. and Pehlevan, C.",
            "A note on the dynamics of extended-context disordered kinetic spin models",
            "arXiv:2507.18461",
            2025,
        ),
        _source(
            "eissfeller1992",
            "Eissfeller, H. and Opper, M.",
            "New method for studying the dynamics of disordered spin systems without finite-size effects",
            "Physical Review Letters 68, 2094",
            1992,
        ),
        _source(
            "sharma2010",
            "Sharma, A. and Young, A. P.",
            "de Almeida-Thouless line in vector spin glasses",
            "Physical Review E 81, 061115, arXiv:1003.5599",
            2010,
        ),
        _source(
            "hoerl1970",
            "Hoerl, A. E. and Kennard, R. W.",
            "Ridge regression: biased estimation for nonorthogonal problems",
            "Technometrics 12, 55",
            1970,
        ),
        _source(
            "robbins1951",
            "Robbins, H. and Monro, S.",
            "A stochastic approximation method",
            "Annals of Mathematical Statistics 22, 400",
            1951,
        ),
        _source(
            "candes2020",
            "Candes, E. J. and Sur, P.",
            "The phase transition for the existence of the maximum likelihood estimate in high-dimensional logistic regression",
            "Annals of Statistics 48, 27, arXiv:1804.09753",
            2020,
        ),
        _source(
            "sur2019",
            "Sur, P. and Candes, E. J.",
            "A modern maximum-likelihood theory for high-dimensional logistic regression",
            "PNAS 116, 14516, arXiv:1803.06964",
            2019,
        ),
        _source(
            "hastie2022",
            "Hastie, T. and Montanari, A. and Rosset, S. and Tibshirani, R. J.",
            "Surprises in high-dimensional ridgeless least squares interpolation",
            "Annals of Statistics 50, 949, arXiv:1903.08560",
            2022,
        ),
    )
}


def cite(keys: list[str] | tuple[str, ...]) -> list[Source]:
    """Return the bibliography entries of `keys`, in order and without repetition."""
    unknown = [key for key in keys if key not in SOURCES]
    if unknown:
        raise invalid("the citation key", unknown[0], "one of " + ", ".join(sorted(SOURCES)))
    return [SOURCES[key] for key in dict.fromkeys(keys)]
