"""Data on disk: corpora of token sequences with everything that is known about them.

May import everything below `theory`, and `theory` itself. To add a kind of data, write its files through `_files.py`, so
that what has a final name is whole, and a reader that checks the checksums of its record.
"""

from glassformer.data._corpus import Corpus as Corpus
from glassformer.data._corpus import open_corpus as open_corpus
from glassformer.data._write import write_corpus as write_corpus
