"""Which characters of a text each token covers, for token ids that come without offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_REPLACEMENT = "\ufffd"  # what a decoder writes for a character whose bytes are not all there yet


def decode_with_offsets(tokenizer: Any, ids: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
    """The text of generated ids and the characters that each one gave.

    Decoded step by step with the tokens before as left context, so that spaces come out as in the whole text;
    a character spread over several tokens belongs to all of them. Special tokens give no characters.

    Returns
    -------
    text : str
    offsets : list of (int, int)
        One for each id, positions in `text`.
    """
    text = ""
    offsets: list[tuple[int, int]] = []
    done = shown = 0  # ids[:done] are written; ids[shown:done] are kept as left context
    for end in range(1, len(ids) + 1):
        known, longer = (
            tokenizer.decode(
                list(ids[shown:stop]), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            for stop in (done, end)
        )
        if longer.endswith(_REPLACEMENT) and end < len(ids):
            continue
        new = longer[len(known) :]
        offsets += [(len(text), len(text) + len(new))] * (end - done)
        text += new
        if new:  # a special token is no context: the space after it would be lost
            shown = done
        done = end
    return text, offsets


def align_offsets(tokenizer: Any, ids: Sequence[int], text: str) -> list[tuple[int, int]]:
    """Offsets in `text` for a tokenizer that gives none: decode, then find each piece in order."""
    decoded, spans = decode_with_offsets(tokenizer, ids)
    position, offsets = 0, []
    for start, end in spans:
        piece = decoded[start:end].strip()
        found = text.find(piece, position) if piece else -1
        if found < 0:
            offsets.append((position, min(position + end - start, len(text))))
        else:
            offsets.append((found, found + len(piece)))
        position = offsets[-1][1]
    return offsets
