"""The password in an http address: libVLC would send it with its first request, in clear, to whoever answers there. It
knows Basic only, and asks again without end, a thousand times a second, where that is refused in favour of Digest."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.player.reasons import method_unknown
from agent.player.vlc.reasons import digest_wanted
from agent.types import ErrorCode, Failure

_WITH_PASSWORD = re.compile(r"(https?://)[^/?#]*@", re.IGNORECASE)
_ALGORITHM = re.compile(r'\balgorithm\s*=\s*"?([\w-]+)', re.IGNORECASE)


class Login:
    """The login for one address. libVLC gets `bare` first, and `url` with the password only once the server asks for
    it."""

    def __init__(self, url: str) -> None:
        self.url = url
        m = _WITH_PASSWORD.match(url)
        self.bare = m[1] + url[m.end() :] if m else url
        self.is_kept_back = m is not None

    def asked(self, refusal: Failure, challenges: Sequence[str]) -> Failure | None:
        """The source refused the bare address with these challenges. None when the address is to be opened again, with
        the password (`is_kept_back` is False from then on); otherwise the failure that it is."""
        if not self.is_kept_back or refusal.code is not ErrorCode.MEDIA_UNAUTHORIZED:
            return refusal
        methods = [challenge.partition(" ") for challenge in challenges]
        digests = [rest for name, _, rest in methods if name.lower() == "digest"]
        if digests and len(digests) == len(methods):
            algorithms = [m[1].upper() if (m := _ALGORITHM.search(rest)) else "MD5" for rest in digests]
            if any(algorithm.startswith("MD5") for algorithm in algorithms):
                return digest_wanted(self.url)
            return method_unknown(self.url, algorithms[0])
        self.is_kept_back = False
        return None
