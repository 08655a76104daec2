"""The published reward, written down once more: with dictionaries, and as the paper's code goes.

Source: princeton-nlp/WebShop, engine/goal.py and engine/normalize.py. It takes nothing from the
package that it is compared with but the list of colors, which is a fact.
"""

from typing import Any

from rapidfuzz import fuzz, utils

from training_sandbox_webshop.reward import COLORS


def set_ratio(one: object, other: object) -> int:
    """thefuzz.fuzz.token_set_ratio, which drops some characters and rounds."""
    texts = []
    for value in (one, other):
        ascii_only = "".join(c for c in str(value) if not 128 <= ord(c) <= 255)
        texts.append(utils.default_process(ascii_only))
    return round(fuzz.token_set_ratio(*texts))


def normalize_color(option: Any) -> Any:
    for color in COLORS:
        if color in option:
            return color
    return option


def type_reward(purchased: dict[str, Any], goal: dict[str, Any]) -> float:
    query_match = purchased["query"] == goal["query"]
    categories = [
        {part.strip() for part in one["product_category"].split("\u203a")}
        for one in (purchased, goal)
    ]
    category_match = len(categories[0] & categories[1]) >= 2
    both = set(purchased["nouns"]) & set(goal["nouns"])
    title_score = len(both) / len(goal["nouns"]) if len(goal["nouns"]) > 0 else 0.2
    r_type = 1.0
    if not (query_match or category_match or title_score > 0.2):
        r_type = 0.5
    if title_score < 0.1:
        r_type = 0.1
    if title_score == 0.0:
        r_type = 0.0
    return r_type


def attributes_matched(purchased: dict[str, Any], goal: dict[str, Any]) -> int:
    matches = 0
    for wanted in goal["attributes"]:
        for own in purchased["attributes"]:
            if set_ratio(own, wanted) > 85:
                matches += 1
                break
        else:
            title = purchased["title"].lower()
            bullets = " ".join(purchased["features"]).lower()
            description = purchased["description"].lower()
            if wanted in title or wanted in bullets or wanted in description:
                matches += 1
    return matches


def options_matched(chosen: list[str], wanted_options: list[Any]) -> int:
    chosen = [normalize_color(option) for option in chosen]
    matches = 0
    for wanted in [normalize_color(option) for option in wanted_options]:
        for option in chosen:
            if set_ratio(option, wanted) > 85:
                matches += 1
                break
    return matches


def reward(purchased: dict[str, Any], goal: dict[str, Any], chosen: dict[str, str]) -> float:
    options = goal["goal_options"]
    wanted = list(options.items()) if isinstance(options, dict) else options
    total = (
        attributes_matched(purchased, goal)
        + options_matched(list(chosen.values()), wanted)
        + (purchased["price"] <= goal["price_upper"])
    )
    total /= len(goal["attributes"]) + len(options) + 1
    return total * type_reward(purchased, goal)
