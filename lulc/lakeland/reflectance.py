"""The simulated lakeland: what a satellite sees of it in July.

The spectra are typical surface reflectances of a boreal summer, chosen by us after what is
generally known of such surfaces; none is a measurement. Forest is a mixture of pine, spruce,
birch and undergrowth by the shares the landscape holds, so that the forest classes overlap as
they do in reality; built-up land is a mosaic of roofs, asphalt and gardens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lulc.lakeland import landscape, noise, parcels
from lulc.lakeland.landscape import Ground
from lulc.lakeland.noise import Floats, Ints, key

#: The nine bands of Sentinel-2 that are simulated, in order.
BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")

# Reflectance in percent, in the order of BANDS.
_PERCENT = {
    "pine": (2.3, 3.9, 2.9, 6.6, 15.5, 18.5, 20.5, 12.6, 6.5),
    "spruce": (1.7, 3.0, 2.0, 4.6, 12.0, 14.5, 16.0, 7.6, 3.6),
    "birch": (2.3, 5.0, 2.5, 7.8, 25.5, 33.0, 36.0, 15.8, 6.9),
    "undergrowth": (3.3, 5.8, 5.0, 10.2, 20.5, 24.5, 26.5, 21.0, 12.0),
    "slash": (5.0, 7.2, 8.4, 12.2, 16.5, 18.5, 20.5, 24.5, 16.5),
    "green cereal": (2.9, 6.0, 3.5, 9.4, 28.0, 36.0, 39.5, 17.5, 8.5),
    "ripening cereal": (4.9, 8.6, 8.6, 14.2, 24.5, 28.5, 31.5, 26.0, 16.0),
    "ley": (3.4, 6.9, 4.6, 11.0, 27.5, 34.0, 37.0, 20.5, 10.5),
    "cut ley": (4.8, 7.8, 7.4, 12.6, 22.0, 26.0, 28.5, 26.0, 15.5),
    "rapeseed in bloom": (4.6, 11.5, 9.6, 17.0, 32.0, 37.5, 41.0, 20.5, 10.5),
    "bare soil": (7.2, 9.4, 11.6, 14.2, 16.2, 17.8, 19.6, 26.5, 21.0),
    "grass": (3.9, 7.0, 5.4, 11.6, 24.0, 29.5, 32.0, 23.0, 12.0),
    "roof": (11.5, 12.8, 14.2, 15.2, 16.4, 17.4, 18.2, 20.5, 18.5),
    "asphalt": (6.2, 7.2, 7.8, 8.8, 10.0, 10.8, 11.4, 13.4, 12.2),
    "garden": (3.2, 6.2, 4.2, 9.6, 23.0, 28.5, 31.0, 18.0, 9.0),
    "gravel": (8.5, 10.8, 13.2, 14.8, 16.2, 17.4, 18.6, 24.5, 22.0),
    "peat": (4.2, 5.4, 6.8, 8.6, 10.4, 11.8, 13.4, 20.0, 16.5),
    "bog": (3.5, 6.2, 5.6, 10.0, 17.0, 19.8, 21.5, 18.0, 9.6),
    "reed": (3.0, 5.4, 4.0, 8.4, 18.5, 22.5, 24.5, 12.5, 6.2),
    "clear lake": (2.3, 2.5, 1.6, 1.3, 1.0, 0.9, 0.8, 0.5, 0.3),
    "brown lake": (1.5, 1.9, 2.0, 1.9, 1.3, 1.2, 1.0, 0.5, 0.3),
    "stream": (2.6, 3.6, 3.4, 3.2, 2.0, 1.9, 1.7, 0.8, 0.5),
}
_SPECTRA = {name: np.array(p, np.float32) / 100 for name, p in _PERCENT.items()}

# The share of the fields under each crop.
_CROPS = (
    ("green cereal", 0.34),
    ("ripening cereal", 0.24),
    ("ley", 0.20),
    ("cut ley", 0.09),
    ("rapeseed in bloom", 0.06),
    ("bare soil", 0.07),
)

# How much haze adds in each band: it scatters blue most.
_HAZE = np.array((1.0, 0.68, 0.48, 0.40, 0.30, 0.26, 0.20, 0.07, 0.04), np.float32)

#: Pixels the sensor's blur reaches.
BLUR_REACH = 3
_BLUR_SIGMA = 0.62  # pixels: the point spread of a 10 m band is about one pixel wide


def observe(seed: int, top: int, left: int, height: int, width: int) -> tuple[Floats, NDArray]:
    """Reflectance (9, y, x) of a window and where it is valid (no cloud), bool (y, x)."""
    reach = BLUR_REACH
    size = (height + 2 * reach, width + 2 * reach)
    ground = landscape.survey(seed, top - reach, left - reach, *size)
    y = np.arange(top - reach, top + height + reach)[:, None]
    x = np.arange(left - reach, left + width + reach)[None, :]
    image = _light(seed, _surface(seed, ground, y, x), ground, y, x)
    inner = slice(reach, -reach)
    out = np.empty((len(BANDS), height, width), np.float32)
    for i, band in enumerate(image):
        out[i] = ndimage.gaussian_filter(band, _BLUR_SIGMA, truncate=4)[inner, inner]
    y, x = y[inner], x[:, inner]
    _sense(seed, out, y, x)
    return out, ~clouded(seed, y, x)


def _surface(seed: int, g: Ground, y: Ints, x: Ints) -> Floats:
    """The reflectance of the ground itself."""
    shape = g.truth.shape

    def smooth(layer: str, scale: float, octaves: int = 2) -> Floats:
        return noise.fractal(key(seed, layer), y, x, scale, octaves)

    image = np.empty((len(BANDS), *shape), np.float32)
    speck = noise.uniform(key(seed, "speck"), y, x)
    soil = np.clip(0.5 + 0.35 * smooth("undergrowth", 30.0), 0, 1)
    # The trees seen at 10 m vary around what is known for their cell of 20 m.
    cover = np.clip(g.cover + 0.10 * smooth("crowns", 3.0, 1), 0, 1)
    broad = np.clip(g.broadleaved + 0.10 * smooth("leaves", 3.5, 1), 0, 1) * cover
    conifer = cover - broad
    pine = np.clip(g.pine + 0.08 * smooth("needles", 3.5, 1), 0, 1) * conifer
    open_ = 1 - cover
    # A fresh clear-cut is brown, an old one green.
    fresh = np.clip(open_ * 1.5 - 0.6, 0, 1) * soil * open_
    for b in range(len(BANDS)):
        s = {name: values[b] for name, values in _SPECTRA.items()}
        image[b] = broad * s["birch"] + pine * s["pine"] + (conifer - pine) * s["spruce"]
        image[b] += (open_ - fresh) * s["undergrowth"] + fresh * s["slash"]

    def paint(where: NDArray[np.bool_], shares: dict[str, Floats | float]) -> None:
        """Put a mixture of spectra where the mask is."""
        at = np.nonzero(where)
        mixture = np.zeros((len(BANDS), at[0].size), np.float32)
        for name, share in shares.items():
            part = share[at] if isinstance(share, np.ndarray) else np.float32(share)
            mixture += _SPECTRA[name][:, None] * part
        image[:, at[0], at[1]] = mixture

    truth = g.truth
    ripe = np.clip(0.12 + 0.22 * smooth("ripening", 22.0) + 0.3 * _bits(g, 12), 0, 0.7)
    farmland = np.isin(truth, (landscape.FIELD, landscape.GRASS))
    lot = _bits(g, 20)
    bound = 0.0
    for name, share in _CROPS:
        crop = (truth == landscape.FIELD) & (lot >= bound) & (lot < bound + share + 1e-6)
        other = "bare soil" if "cereal" in name else "grass"
        paint(crop, {name: 1 - ripe, other: ripe})
        bound += share
    meadow = np.clip(0.15 + 0.4 * (lot - 0.5) + 0.15 * smooth("meadow", 9.0), 0, 0.6)
    paint(truth == landscape.GRASS, {"grass": 1 - meadow, "undergrowth": meadow})
    # Machines drive along the drains: faint stripes.
    stripe = np.abs(g.along * 3 - np.floor(g.along * 3) - 0.5) - 0.25
    image[:, farmland] *= 1 + np.float32(0.10) * stripe[farmland]

    bushy = np.clip(0.3 + 0.3 * smooth("bog", 7.0), 0, 0.9)
    paint(
        truth == landscape.MARSH,
        {"bog": 1 - bushy, "undergrowth": bushy * 0.6, "pine": bushy * 0.4},
    )
    dark = (g.soil == landscape.PEAT) | (_bits(g, 3) < 0.12)
    gravel = 0.55 + 0.4 * speck
    paint((truth == landscape.BARE) & ~dark, {"gravel": gravel, "slash": 1 - gravel})
    paint((truth == landscape.BARE) & dark, {"peat": 1.05 - 0.1 * speck})

    # A roof or a yard is smaller than a pixel; gardens and trees lie between.
    yard = noise.uniform(key(seed, "yard"), y, x)
    tree = np.clip(0.4 + 0.3 * smooth("garden trees", 5.0), 0, 1)
    roof = np.clip(speck * 1.2 - 0.35, 0, 1) * 0.8
    hard = (1 - roof) * np.clip(yard - 0.45, 0, 1)
    left = 1 - roof - hard
    paint(
        truth == landscape.SPARSE,
        {
            "roof": roof,
            "asphalt": hard,
            "garden": left * (1 - tree),
            "birch": left * tree * 0.4,
            "pine": left * tree * 0.6,
        },
    )
    roof = np.clip(speck * 1.2 - 0.2, 0, 1) * np.where(g.road == 2, np.float32(0.1), 0.8)
    hard = (1 - roof) * np.clip(0.2 + yard * 0.7, 0, 1)
    left = 1 - roof - hard
    paint(truth == landscape.DENSE, {"roof": roof, "asphalt": hard, "garden": left})

    depth = np.clip(-g.height / 0.25, 0, 1)
    brown = np.clip(0.5 + 0.5 * smooth("brown", 400.0, 1), 0, 1) * (1 - 0.5 * depth)
    paint((truth == landscape.WATER) & ~g.river, {"clear lake": 1 - brown, "brown lake": brown})
    paint((truth == landscape.WATER) & g.river, {"stream": 0.7, "brown lake": 0.3})
    thick = np.clip(0.55 + 0.25 * smooth("reeds", 6.0) + 0.2 * (1 - depth), 0.1, 1)
    paint(truth == landscape.REEDS, {"reed": thick, "brown lake": 1 - thick})

    # Tracks are narrower than a pixel.
    at = (g.road == 1) & (truth < landscape.REEDS)
    image[:, at] = 0.55 * image[:, at] + 0.45 * _SPECTRA["gravel"][:, None]
    return image


def _bits(g: Ground, shift: int) -> Floats:
    return parcels.share(g.parcel, shift)


def _light(seed: int, image: Floats, g: Ground, y: Ints, x: Ints) -> Floats:
    """Sun and shade: slopes, crowns, and the unevenness of everything that grows."""
    # Sun from the south-east: slopes that rise away from it are bright.
    down, right = np.gradient(g.height)
    slope = np.clip(1.2 * (down - right * 0.5) * -1, -0.12, 0.12)
    grain = noise.white(key(seed, "crown light"), y, x)
    uneven = noise.fractal(key(seed, "uneven"), y, x, 24.0, 3)
    wooded = (g.truth >= landscape.BROADLEAVED) & (g.truth <= landscape.TRANSITIONAL)
    land = g.truth < landscape.WATER
    rough = np.where(wooded, np.float32(0.075), np.float32(0.025)) * land
    gain = 1 + rough * grain + land * (0.035 * uneven + slope)
    # Moisture moves the short-wave infrared, vigour the near infrared.
    moist = 1 + np.float32(0.045) * land * noise.fractal(key(seed, "moist"), y, x, 40.0, 3)
    vigour = 1 + np.float32(0.05) * land * noise.fractal(key(seed, "vigour"), y, x, 50.0, 3)
    image *= gain
    image[4:7] *= vigour
    image[7:9] *= moist
    return image


def _sense(seed: int, image: Floats, y: Ints, x: Ints) -> None:
    """Haze, the region's own calibration, and the sensor's noise; in place."""
    one = np.zeros(1, np.int64)
    lots = noise.uniform(key(seed, "radiometry"), one, np.arange(len(BANDS) + 2))
    haze = 0.001 + 0.005 * lots[-1] + 0.0025 * noise.fractal(key(seed, "haze"), y, x, 420.0, 2)
    haze = np.maximum(haze, 0).astype(np.float32)
    for b, band in enumerate(image):
        band *= 1 + np.float32(0.06) * (lots[-2] - 0.5) + np.float32(0.03) * (lots[b] - 0.5)
        band += haze * _HAZE[b]
        grain = noise.white(key(seed, f"sensor {b}"), y, x)
        band += grain * (np.float32(0.0009) + np.float32(0.008) * band)
    np.maximum(image, np.float32(0.0001), out=image)


def clouded(seed: int, y: Ints, x: Ints) -> NDArray[np.bool_]:
    """Where clouds left a gap: none in about a third of the regions, else a few percent."""
    one = np.zeros(1, np.int64)
    lot = float(noise.uniform(key(seed, "cloud"), one, one)[0])
    if lot < 0.35:
        return np.zeros((y.size, x.size), bool)
    cloud = noise.fractal(key(seed, "clouds"), y, x, 80.0, 5, 0.6)
    return cloud > np.float32(2.5 - 0.7 * lot)
