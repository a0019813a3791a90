from itertools import count

tick = count()


class Number:
    def __init__(self, value, made_of=()):
        self.value = value
        self.made_of = made_of
        self.grad = 0.0
        self.order = next(tick)

    def __add__(self, other):
        return Number(self.value + other.value, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Number(self.value * other.value, [(self, other.value), (other, self.value)])

    def __truediv__(self, other):
        slopes = [(self, 1 / other.value), (other, -self.value / other.value**2)]
        return Number(self.value / other.value, slopes)

    def sqrt(self):
        root = self.value**0.5
        return Number(root, [(self, 0.5 / root)])

    def backward(self):
        found, waiting = {self}, [self]
        while waiting:
            for part, _ in waiting.pop().made_of:
                if part not in found:
                    found.add(part)
                    waiting.append(part)
        self.grad = 1.0
        for number in sorted(found, key=lambda number: -number.order):
            for part, slope in number.made_of:
                part.grad += slope * number.grad
