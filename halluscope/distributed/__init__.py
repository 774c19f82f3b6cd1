"""Scoring on many workers with Ray Data: `score_dataset` for datasets, `score_file` for files.

Needs the extra ``halluscope[ray]``.
"""

from halluscope.distributed.requirement import check_ray

check_ray()

from halluscope.distributed.dataset import score_dataset  # noqa: E402 - told before it fails for want of Ray
from halluscope.distributed.file import score_file  # noqa: E402

__all__ = ["score_dataset", "score_file"]
