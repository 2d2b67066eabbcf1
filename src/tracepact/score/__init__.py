"""What a contract is worth: scored by its text, by what their sources have, and by what ran."""

from tracepact.score.citations import Citation, citations
from tracepact.score.cited import Doubt
from tracepact.score.codebase import CodebaseScore, score_codebase
from tracepact.score.contract import GRADES, ContractScore, reaches, score_contract
from tracepact.score.ladder import LEVELS, Standing, weigh
from tracepact.score.placeholders import Placeholder, find_placeholders, quality
from tracepact.score.ran import Ran, gather
from tracepact.score.sources import Sources, read_sources

__all__ = [
    "GRADES",
    "LEVELS",
    "Citation",
    "CodebaseScore",
    "ContractScore",
    "Doubt",
    "Placeholder",
    "Ran",
    "Sources",
    "Standing",
    "citations",
    "find_placeholders",
    "gather",
    "quality",
    "reaches",
    "read_sources",
    "score_codebase",
    "score_contract",
    "weigh",
]
