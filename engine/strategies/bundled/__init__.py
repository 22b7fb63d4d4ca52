"""The bundled strategies, one class a file, in the subset that the forge compiles.

Three of them (ema_cross, rsi_ma_cross, buy_and_hold) are also compiled into the kernel; the files decide
the same, bar by bar, so that interpreted, forged and built-in can be compared.
"""
