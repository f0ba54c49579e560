"""Charts of scores, and what lies behind them."""
