"""Help beside the panels: a few sentences one click away, and what the keys do."""

from __future__ import annotations

from html import escape
from itertools import count

import panel as pn

#: Short help by topic, as HTML.
TOPICS = {
    "classify": """
<p>The model looks at the scene, or the region of it, in blocks and gives every pixel the
activation of each class. The result is a <b>run</b>: a map that stays in the workspace and can be
scored, compared and opened in a GIS.</p>
<p>Regions are named ones, those drawn on the map, coordinates typed in, or a file. The time is
that of earlier runs on this machine. A scene that is not what the model was trained on (bands,
scale, pixel size) is refused or warned of here, before anything is computed.</p>
<p>Runs go on when the page is closed; what was computed of a cancelled one is kept.</p>
""",
    "layers": """
<p>The <b>image below</b> is the scene: three of its bands as red, green and blue, stretched
between the 2nd and the 98th percentile of the scene. The <b>layer above</b> is what is known of
the run.</p>
<p><b>Confidence</b> is the largest activation; <b>entropy</b> is high where many classes share a
pixel and <b>margin</b> is low where two do. <b>Agreement</b> needs a reference; <b>suspicious
labels</b> are patches of it that the activations contradict (looked for on the page Scores).</p>
<p>The space key swaps the two.</p>
""",
    "legend": """
<p><b>Click</b> a class to hide or show it, <b>double-click</b> to see it alone. The shares are of
the map in view, of pixels with a class: shares of the screen, not estimates of area.</p>
<p><b>Colours</b>: the legend's own; CORINE's official ones; or some that people with a colour
vision deficiency can tell apart.</p>
""",
    "spectrum": """
<p>The reflectance of the pixel in each band over the band's wavelength, with the mean and the
standard deviation that pixels mapped as its class have in this scene behind it. A spectrum far
outside them is worth a second look. Click the map again to compare pixels.</p>
""",
    "pixel": """
<p>The activation of every class at each pixel: 0 to 1, all classes together 1. Two bars of like
length are a doubt between two classes. The letters are those on the map.</p>
""",
    "nearest": """
<p>The classes whose pixels in this scene look most like this one. If the class of the map is not
among the first, the neighbourhood decided, which the network sees and a spectrum does not.</p>
""",
    "f1": """
<p><b>Precision</b> (user's accuracy): of what the map says is a class, the share that the
reference says too. <b>Recall</b> (producer's accuracy): of what the reference says, the share that
the map found. <b>F1</b> is their harmonic mean.</p>
<p>The lines are 95 % intervals, from drawing whole blocks of the map again and again: neighbouring
pixels are wrong together, so a million of them are no million draws. A dashed line is a
<b>cautious</b> interval, wider than need be, of a class that too few blocks tell of.
<b>Labels held right</b> shows what a perfect map would get from labels that are wrong at times.</p>
""",
    "matrix": """
<p>Every scored pixel, by its class in the reference (row) and in the map (column). What is right
lies on the diagonal; a row tells what the map took a class for. Point at a cell for its pixels.</p>
<p>Classes that the two legends do not tell apart are scored as one; the remarks below say
which.</p>
""",
    "where": """
<p>The ground in squares, coloured by the share of the scored pixels on which map and reference
agree. They are the <b>blocks</b> that the intervals are drawn from: longer than errors are alike,
so that what two of them say is nearly independent. Point at one for its figures.</p>
<p>Blocks that are worse than the others tell <b>where</b> to look: at a kind of landscape that the
model does not know, at haze or shadow, or at a reference that is older than the image. Those with
few scored pixels (see their km²) differ by chance; blocks without any are left out.</p>
""",
    "evidence": """
<p><b>Near a boundary</b>: a pixel beside a boundary of the reference may be wrong because the two
do not lie on each other exactly; what is wrong far inside is the map's error, or the
reference's. Lines through the points are <b>95 % intervals</b>, dotted where they are cautious:
wider than need be, as too few blocks of ground tell.</p>
<p><b>A probability?</b> Where the curve lies below the diagonal, activations promise more than
holds; where the line through a point crosses it, that may be chance. <b>Another threshold</b> and
<b>ranking</b> are of the class chosen, mapped wherever its activation reaches a value; bands are
95 % intervals too.</p>
""",
    "differences": """
<p>F1 of B less that of A, over the same pixels and against the same reference. The <b>95 %
interval</b> comes from drawing whole blocks of the map again and again, since neighbouring pixels
are wrong together. An interval that holds 0 means that the difference may be chance.</p>
<p>After a ~ it is <b>cautious</b>, wider than need be, as too few blocks or pixels tell the two
apart.</p>
""",
    "runs": """
<p>A <b>run</b> is one scene, or a region of it, classified by one model: a folder with the map,
its activations, all that was chosen, and the scores. Macro F1 is of the scores stored with the
run.</p>
<p><b>Open in Explore</b> shows the map. Deleting a run removes its folder, for everyone who
shares this workspace.</p>
""",
    "suspects": """
<p>A <b>patch</b> is a connected area of one label in the reference. It is listed when the
activations speak for another class on average over the whole patch; the <b>score</b> is how
clearly, from 0.5 (undecided) to 1.</p>
<p>On simulated regions whose wrong labels are known, most of the first fifty were wrong, of the
whole list fewer than half: look at the image before correcting anything.</p>
""",
    "activations": """
<p>The <b>activation</b> of a class is what the network's last layer (softmax) gives a pixel for
it: 0 to 1, all classes together 1. It is a score, not yet a probability; how far it can be read
as one is what calibration tells.</p>
<p>Each small map shows one class over the part of the map in view, dark 0 to bright 1. The drawing
below counts all pixels of the run by activation, on a logarithmic scale: <b>blue</b> where the
reference has the class, <b>orange</b> where it has another, grey where it says nothing.</p>
<p><b>AP</b>, average precision: the mean of the precision over all thresholds, weighted by the
recall each adds. 1 is a perfect order of the pixels; a random order gets the class's share.</p>
""",
    "mask": """
<p>Pixels whose activation of the class is at least the <b>threshold</b> are painted. It need not
be their largest activation, so masks of classes may overlap.</p>
<p><b>Precision</b>: of the painted pixels with a reference, the share that has the class there.
<b>Recall</b>: of the pixels that have the class in the reference, the share that is painted.
The area is of the whole run, not of the view.</p>
<p>Both scores are of what the page <b>Scores</b> scores, at the same level: pixels that the
model has not seen, where there are such, and classes that the reference does not tell apart as
one, with their activations added up.</p>
<p>An area counted from a map inherits the map's errors; an unbiased one needs a sample of points
(<code>lulc points</code>, <code>lulc areas</code>).</p>
""",
    "trio": """
<p>The activations of three classes as the red, green and blue of one image: a pure colour is a
sure class, a mixed one is a doubt between two, black is none of the three.</p>
""",
    "maps": """
<p>A <b>feature map</b> is what one filter of a layer answers at every place. Shown are the maps of
the layer that vary most over the window outlined on the map, each stretched over its own range;
values have no unit and cannot be compared between layers.</p>
<p>They can show <b>what a layer reacts to</b> here (edges, water, texture) and which filters are
dead. They cannot tell <b>why</b> a class was chosen: a feature may look like roads and weigh
nothing, and many filters share one meaning. Deeper layers see farther and are coarser.</p>
""",
    "bands": """
<p>Each band in turn is replaced by its mean in the training data, and the network runs again. A
class that loses activation <b>rested on that band here</b>; one that gains was held back by it.</p>
<p>It tells of <b>this window and this model</b> only. Bands that say the same (red and green, say)
hide each other: leaving out one changes little though both together matter. The replacement is a
spectrum that may not exist, so large changes are a hint and no proof. An index keeps its value
when one of its bands is replaced.</p>
""",
}

#: What the keys do.
KEYS = (
    ("← → or ↑ ↓", "the class before or after (Explore, Activations)"),
    ("Space", "the layer above or the image below (Explore, Activations)"),
    ("?", "this help"),
    ("Esc", "close what is open"),
    ("Scroll, drag", "zoom and move the map"),
)

_STYLE = """
<style>
.help button { font: inherit; font-size: 0.75rem; line-height: 1; width: 1.5rem; height: 1.5rem;
  border-radius: 50%; border: 1px solid currentColor; color: inherit; background: none;
  cursor: pointer; padding: 0; flex: none; }
.help button:focus-visible { outline: 2px solid #0e8c95; outline-offset: 1px; }
[popover] { max-width: min(32rem, 90vw); padding: 0.8rem 1.1rem; border: 1px solid gray;
  border-radius: 6px; font-size: 0.88rem; line-height: 1.45;
  background: var(--mui-palette-background-paper, Canvas);
  color: var(--mui-palette-text-primary, CanvasText); box-shadow: 0 6px 24px rgba(0,0,0,.35); }
[popover] p { margin: 0.4rem 0; }
</style>
"""

_number = count()


def about(text: str, topic: str) -> pn.pane.HTML:
    """A heading with its help behind a question mark. Escape or a click elsewhere closes it."""
    name = f"help-{topic}-{next(_number)}"
    return pn.pane.HTML(
        f'{_STYLE}<div class="help" style="display:flex;align-items:center;gap:8px">'
        f'<h2 style="font-size:0.95rem;font-weight:600;margin:0">{escape(text)}</h2>'
        f'<button type="button" popovertarget="{name}" aria-label="Help: {escape(text)}">?</button>'
        f'</div><div popover id="{name}"><b>{escape(text)}</b>{TOPICS[topic]}</div>',
        margin=(10, 10, 2, 10),
        sizing_mode="stretch_width",
    )


def keys() -> str:
    """What the keys do, as HTML."""
    rows = "".join(
        f"<tr><td><kbd>{escape(key)}</kbd></td><td>{escape(what)}</td></tr>" for key, what in KEYS
    )
    return f"<b>Keys</b><table>{rows}</table>"
