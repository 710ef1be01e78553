"""General linear models of a time series, in NumPy alone."""

from __future__ import annotations

import numpy as np


def percent_change(series: np.ndarray) -> np.ndarray:
    """Each voxel's series (volumes x voxels), in percent of its own mean."""
    return 100 * (series / series.mean(axis=0) - 1)


def least_squares(design: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, ...]:
    """Effect and t of the design's first column, and the residuals."""
    weights = np.linalg.lstsq(design, series, rcond=None)[0]
    residuals = series - design @ weights
    variance = (residuals**2).sum(axis=0) / (len(series) - design.shape[1])
    spread = np.linalg.inv(design.T @ design)[0, 0]
    return weights[0], weights[0] / np.sqrt(variance * spread), residuals


def prewhitened(design: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Effect and t of the first column, with noise that is AR(1) in each voxel.

    The coefficient is Yule and Walker's, of the ordinary residuals and cut
    to two decimals, such that voxels of the same coefficient are solved at once.
    """
    residuals = least_squares(design, series)[2]
    volumes = len(series)
    lagged = (residuals[1:] * residuals[:-1]).sum(axis=0) / (volumes - 1)
    rhos = np.trunc(100 * lagged / (residuals**2).sum(axis=0) * volumes) / 100
    effect, t = np.empty(series.shape[1]), np.empty(series.shape[1])
    for rho in np.unique(rhos):
        voxels = rhos == rho
        solved = least_squares(whiten(design, rho), whiten(series[:, voxels], rho))
        effect[voxels], t[voxels] = solved[:2]
    return effect, t


def whiten(columns: np.ndarray, rho: float) -> np.ndarray:
    """Each row less `rho` times the one before it; the first stays."""
    return np.vstack([columns[:1], columns[1:] - rho * columns[:-1]])


def normal_score(t: np.ndarray, freedom: int) -> np.ndarray:
    """The z of a t, by formula 26.7.8 of Abramowitz and Stegun (1964)."""
    return t * (1 - 1 / (4 * freedom)) / np.sqrt(1 + t**2 / (2 * freedom))
