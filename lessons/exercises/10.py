"""Checks for lesson 10: a number that differentiates itself."""

from lessons.exercise import close, expect, slopes


def check_number(solution):
    """Write a class `Number` with value, grad, +, *, /, sqrt() and backward(), which visits every number once."""
    Number = solution.Number
    x, y = Number(3.0), Number(4.0)
    expect(close((x / y).value, 0.75), "Number(3) / Number(4) has the value 0.75", got=(x / y).value)
    expect(close((x * x + y * y).sqrt().value, 5.0), "sqrt of 3 * 3 + 4 * 4 has the value 5")

    formulas = {
        "x + y": lambda x, y: x + y,
        "x * y": lambda x, y: x * y,
        "x / y": lambda x, y: x / y,
        "x.sqrt()": lambda x, y: x.sqrt() + y * y,
        "x * x / y + x": lambda x, y: x * x / y + x,
        "(x * y + x / y).sqrt() * x": lambda x, y: (x * y + x / y).sqrt() * x,
    }
    for name, formula in formulas.items():
        x, y = Number(3.0), Number(4.0)
        formula(x, y).backward()
        for variable, got, measured in [
            ("x", x.grad, slopes(lambda v, f=formula: f(Number(v), Number(4.0)).value, 3.0)),
            ("y", y.grad, slopes(lambda v, f=formula: f(Number(3.0), Number(v)).value, 4.0)),
        ]:
            what = f"for {name} at x = 3, y = 4, the grad of {variable} is the slope of the value"
            expect(close(got, measured), what, got=got, measured=measured)

    x = Number(1.0)
    total = x
    for _ in range(60):  # 2^60 paths: only a walk that visits each number once comes to an end
        total = total + total
    total.backward()
    expect(x.grad == 2.0**60, "after sixty doublings the grad of the first number is 2^60", got=x.grad)
