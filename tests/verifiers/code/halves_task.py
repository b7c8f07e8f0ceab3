"""A made-up task of HumanEval's kind."""

# Below another function and an import, as some of HumanEval's prompts are.
PROMPT = '''from typing import List


def half(x: int) -> int:
    return x // 2


def halves(xs: List[int]) -> List[int]:
    """ The half of each.
    >>> halves([4])
    [2]
    """
'''
TEST = """

METADATA = {}


def check(candidate):
    assert candidate([4, 6]) == [2, 3]
    assert candidate([]) == [], "of nothing"
"""
