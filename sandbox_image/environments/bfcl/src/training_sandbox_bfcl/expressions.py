"""What Python's `eval` would say of a call, without evaluating anything but literals and methods.

The package hands the text of a model to `eval`. Here the text is parsed, and only what it should
have been is done: methods that were given are called, with literals or each other's results. A text
that is no expression gets the words that `eval` has for it.
"""

import ast
import warnings
from collections.abc import Callable, Iterable, Mapping

FindMethod = Callable[[str], Callable[..., object] | None]

_LONGEST_NAME = 200
"""Bytes of a name that Python puts into a NameError."""

_CONTAINERS: Mapping[type[ast.expr], Callable[[Iterable[object]], object]] = {
    ast.List: list,
    ast.Tuple: tuple,
    ast.Set: set,
}


class NotAllowed(Exception):  # noqa: N818 (its text is an answer to the model)
    """The expression does something else than to call methods with literals."""

    def __init__(self) -> None:
        super().__init__("only calls of functions with literal arguments are executed")


class TooDeep(Exception):  # noqa: N818 (its text is an answer to the model)
    """The expression is nested deeper than Python parses: that raises a MemoryError then."""


def evaluate(text: str, method: FindMethod) -> object:
    """The value of an expression.

    Args:
        text: Python, for example `cd(folder='document')`.
        method: What can be called by a name, if anything can.

    Raises:
        NotAllowed: It is an expression, but of another kind.
        Exception: What `eval` would raise for this text, or what a method raised.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # `eval` ignores blanks before an expression.
            tree = ast.parse(text.lstrip(" \t"), filename="<string>", mode="eval")
            # Some errors of syntax are found in the second half of compiling only.
            compile(tree, "<string>", "eval", dont_inherit=True)
        except MemoryError as error:
            raise TooDeep(*error.args) from None
    return _Evaluation(method).value(tree.body)


class _Evaluation:
    """Evaluates in Python's order, so that of several mistakes the same one is told."""

    def __init__(self, method: FindMethod) -> None:
        self._method = method

    def value(self, node: ast.expr) -> object:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                told = name.encode()[:_LONGEST_NAME].decode(errors="replace")
                raise NameError(f"name '{told}' is not defined")
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return _CONTAINERS[type(node)](self.value(element) for element in elements)
            case ast.Dict(keys=keys, values=values):
                return {
                    self._required(key): self.value(value)
                    for key, value in zip(keys, values, strict=True)
                }
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.value(operand)  # type: ignore[operator] (a TypeError is the answer)
            case ast.Call():
                return self._call(node)
            # Where a name that there is not comes first, Python says so before all else.
            case (
                ast.Attribute(value=first)
                | ast.BinOp(left=first)
                | ast.Compare(left=first)
                | ast.Subscript(value=first)
            ):
                self.value(first)
            case _:
                pass
        raise NotAllowed

    def _call(self, node: ast.Call) -> object:
        function = node.func
        if isinstance(function, ast.Name) and (method := self._method(function.id)):
            positional = [self.value(argument) for argument in node.args]
            named = {_name(keyword): self.value(keyword.value) for keyword in node.keywords}
            return method(*positional, **named)
        raise TypeError(f"'{type(self.value(function)).__name__}' object is not callable")

    def _required(self, node: ast.expr | None) -> object:
        if node is None:
            raise NotAllowed
        return self.value(node)


def _name(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise NotAllowed
    return keyword.arg
