"""How sure a share is that was counted on few (pure)."""

from __future__ import annotations

import math

#: Standard deviations on either side that hold 95 of 100 samples.
Z95 = 1.959964


def wilson(hits: float, of: float) -> tuple[float, float]:
    """Between which shares (0-1) the true one lies, in 95 of 100 cases; all of them where nothing was counted.

    Wilson's score interval: right for few, and for shares near 0 and 1.
    https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval
    """
    if not of:
        return 0.0, 1.0
    share, square = hits / of, Z95**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    reach = Z95 / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of**2))
    # At the ends it is exact; what is computed may miss them by the last digit.
    return max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach))
