"""Stage 1: a language model, its tokens, and the recording of what happens inside it."""
