"""Logarithmic axes whose labels are plain numbers: ours have no mathematical typesetting."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullFormatter

from clampsweep.figures.style import minus


def logarithmic(ax: Axes, *names: str) -> None:
    """Make axes of a panel logarithmic, labelled at 1, 2 and 5 times the powers of ten.

    Args:
        ax: The panel.
        names: `x`, `y` or both.
    """
    for name in names:
        axis: Axis = getattr(ax, f"{name}axis")
        getattr(ax, f"set_{name}scale")("log")
        low, high = getattr(ax, f"get_{name}lim")()
        few = high > 100 * low > 0
        axis.set_major_locator(LogLocator(subs=(1.0,) if few else (1.0, 2.0, 5.0)))
        plain_numbers(axis)


def plain_numbers(*axes: Axis) -> None:
    """Label axes by plain numbers, only at their major ticks."""
    for axis in axes:
        axis.set_major_formatter(lambda value, _: minus(f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
