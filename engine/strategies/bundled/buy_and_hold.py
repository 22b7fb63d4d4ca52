"""Buy once and keep: the measure of every other strategy."""

from native.strategy import Bar, Strategy


class BuyAndHold(Strategy):
    """Buy at the second bar's open and keep."""

    def on_bar(self, bar: Bar) -> int | None:
        return 1
