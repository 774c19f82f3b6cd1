"""Scoring files of pairs: streamed, resumable, and the same file whether it was interrupted or not."""

from halluscope.scoring.local import check_records, score_file

__all__ = ["check_records", "score_file"]
