"""How extended-context models move: tiles of sequences, streamed tokens. May import `_core`, `couplings`, `models`."""

from glassformer.dynamics.context._stream import token_stream as token_stream
