"""stub"""
from __future__ import annotations

from typing import Optional


def probe(address: str, seconds: float = 2.0) -> Optional[int]:
    return None
