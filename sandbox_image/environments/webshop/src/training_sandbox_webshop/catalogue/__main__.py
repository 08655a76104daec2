"""Make a catalogue: `python -m training_sandbox_webshop.catalogue --root DIR`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress, TaskID

from training_sandbox_webshop.catalogue.generator import generate
from training_sandbox_webshop.catalogue.nouns import TaggerMissing, tagger
from training_sandbox_webshop.catalogue.source import Source, SourceUnusable, read_source
from training_sandbox_webshop.catalogue.writer import RootNotEmpty, write_catalogue

DEFAULT_PRODUCTS = 10_000
DEFAULT_SEED = 7

_EXAMPLES = """
examples:
  python -m training_sandbox_webshop.catalogue --root /tmp/catalogue
      10,000 generated products with a goal each
  python -m training_sandbox_webshop.catalogue --root /tmp/catalogue --products 300 --seed 8
      another, smaller one
  python -m training_sandbox_webshop.catalogue --root /tmp/catalogue \\
      --from-products items_shuffle.json --from-goals items_ins_v2.json \\
      --from-human-goals items_human_ins.json
      of the files of WebShop's authors, with the goals that people wrote

Play it with WEBSHOP_ROOT=/tmp/catalogue.
"""


def main(command_line: Sequence[str] | None = None) -> None:
    """Parse the command line and make the catalogue.

    Args:
        command_line: What comes after the command; None: of this process.
    """
    parser = _parser()
    arguments = parser.parse_args(command_line)
    try:
        source = _source(parser, arguments)
        with Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
            bars: dict[str, TaskID] = {}

            def show(what: str, done: int, total: int) -> None:
                if what not in bars:
                    bars[what] = bar.add_task(what, total=total)
                bar.update(bars[what], completed=done)

            written = write_catalogue(
                arguments.root, source, arguments.seed, tagger(arguments.spacy), show
            )
    except (RootNotEmpty, SourceUnusable, TaggerMissing, OSError) as error:
        parser.error(str(error))
    sys.stdout.write(
        f"{arguments.root}: {written.products:,} products, {written.goals:,} goals, "
        f"seed {arguments.seed}\n"
    )


def _source(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Source:
    if arguments.products is not None and arguments.products < 1:
        parser.error("--products must be at least 1")
    if arguments.from_products is None:
        if arguments.from_goals or arguments.from_human_goals or arguments.from_reviews:
            parser.error("--from-goals, --from-human-goals and --from-reviews need --from-products")
        return generate(arguments.products or DEFAULT_PRODUCTS, arguments.seed)
    if arguments.from_goals is None:
        parser.error("--from-products needs --from-goals")
    return read_source(
        arguments.from_products,
        arguments.from_goals,
        arguments.from_human_goals,
        arguments.from_reviews,
        limit=arguments.products,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training_sandbox_webshop.catalogue",
        description="Make a catalogue of WebShop. The same seed gives the same catalogue.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--root", type=Path, required=True, help="where the catalogue goes; an empty folder")
    add(
        "--products",
        type=int,
        help=f"how many there are (generated: {DEFAULT_PRODUCTS:,}; of a file: all)",
    )
    add(
        "--seed",
        type=int,
        default=DEFAULT_SEED,
        help=f"what products, prices and limits are drawn from (default {DEFAULT_SEED})",
    )
    add("--from-products", type=Path, metavar="FILE", help="in the form of items_shuffle.json")
    add(
        "--from-goals",
        type=Path,
        metavar="FILE",
        help="the products' attributes and instructions, in the form of items_ins_v2.json",
    )
    add(
        "--from-human-goals",
        type=Path,
        metavar="FILE",
        help="instructions of people, in the form of items_human_ins.json, in place of the others",
    )
    add("--from-reviews", type=Path, metavar="FILE", help="in the form of reviews.json")
    add(
        "--spacy",
        metavar="MODEL",
        help="find the nouns of titles with this model of spaCy's, as WebShop does with "
        "en_core_web_sm; without it TextBlob finds them",
    )
    return parser


if __name__ == "__main__":
    main()
