"""backtrader: an event-driven Cerebro with its own EMAs seeded by the first value."""

import _peer
import backtrader as bt


class _Feed(bt.feed.DataBase):
    params = (("columns", None),)

    def start(self):
        super().start()
        self.row = -1

    def _load(self):
        self.row += 1
        if self.row >= len(self.p.columns[0]):
            return False
        days, opened, high, low, close = (column[self.row] for column in self.p.columns)
        self.lines.datetime[0], self.lines.open[0], self.lines.high[0] = days, opened, high
        self.lines.low[0], self.lines.close[0] = low, close
        self.lines.volume[0] = self.lines.openinterest[0] = 0.0
        return True


class _Ema(bt.Indicator):
    lines = ("value",)
    params = (("period", 12),)

    def __init__(self):
        self.addminperiod(1)

    def nextstart(self):
        self.lines.value[0] = self.data[0]

    def next(self):
        alpha = 2.0 / (self.p.period + 1.0)
        self.lines.value[0] = alpha * self.data[0] + (1.0 - alpha) * self.lines.value[-1]

    def oncestart(self, start, end):
        self.lines.value.array[0] = self.data.array[0]

    def once(self, start, end):
        alpha, source, target = 2.0 / (self.p.period + 1.0), self.data.array, self.lines.value.array
        value = target[0] = source[0]
        for i in range(1, end):
            value = alpha * source[i] + (1.0 - alpha) * value
            target[i] = value


class _Flip(bt.Strategy):
    def __init__(self):
        self.quick = _Ema(self.data.close, period=_peer.FAST)
        self.lazy = _Ema(self.data.close, period=_peer.SLOW)
        self.side = self.held = 0
        self.bar, self.fills = -1, []

    def next(self):
        self.bar += 1
        if self.bar < _peer.SLOW - 1:
            return
        quick, lazy = self.quick[0], self.lazy[0]
        want = 1 if quick > lazy else (-1 if quick < lazy else self.side)
        if want != self.side:
            size = _peer.units(self.data.close[0])
            order = (size + self.held) / 1e6
            self.side, self.held = want, size
            (self.buy if want > 0 else self.sell)(size=order)

    def notify_order(self, order):
        if order.status == order.Completed:
            self.fills.append((self.bar + 1, round(order.executed.size * 1e6)))


def main():
    """Run and report."""
    market, rounds = _peer.bars()
    days = market["ts_ns"] / 86_400e9 + 719163.0
    columns = [days.tolist(), *(market[name].tolist() for name in ("open", "high", "low", "close"))]
    cerebro = None

    def run():
        nonlocal cerebro
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.adddata(_Feed(columns=columns, timeframe=bt.TimeFrame.Minutes))
        cerebro.broker.setcash(_peer.CASH)
        cerebro.broker.setcommission(commission=_peer.FEE)
        cerebro.broker.set_slippage_perc(_peer.SLIPPAGE, slip_open=True, slip_match=True, slip_out=True)
        cerebro.broker.set_checksubmit(False)
        cerebro.addstrategy(_Flip)
        return cerebro.run()[0]

    seconds, found = _peer.timed(rounds, run)
    _peer.report(bt.__version__, seconds, _peer.paired(found.fills), cerebro.broker.getvalue())


main()
