"""The report of a run: one HTML page that contains its pictures."""

import base64
import html
import io

import numpy as np

from keras_gan import images, saving

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
img { max-width: 100%; image-rendering: pixelated; } img.plot { image-rendering: auto; background: white; }
.wide { overflow-x: auto; } .pair { display: inline-block; margin: 0 .5rem .5rem 0; text-align: center; }
.pair img { display: block; margin-bottom: .25rem; outline: 1px solid var(--line); } .pair span { font-size: .8rem; }
table { border-collapse: collapse; } td, th { padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top; }
tr + tr { border-top: 1px solid var(--line); } td.number { text-align: right; white-space: nowrap; }
code, pre { background: var(--soft); border-radius: .25rem; padding: .1rem .3rem; } pre { overflow-x: auto; }
.alarm { border-left: .25rem solid #c60; padding-left: .8rem; }
"""

# Limits of the width, in pixels, at which `stacks` shows an image.
_NARROWEST, _WIDEST = 96, 256


def _each(*names):
    """Returns the names of logs, and for each name also the variants with the suffixes `_a` and `_b` that a model of
    two sets uses."""
    return tuple(f"{name}{suffix}" for name in names for suffix in ("", "_a", "_b"))


# One plot over the epochs for each entry: its title and the logs that it shows.
_CURVES = (
    ("Distance from held-out images (lower is better)", _each("val_kernel_distance")),
    ("Precision and recall (higher is better)", ("val_precision", "val_recall")),
    (
        "Share of near-copies: samples as close to a training image as the closest 5 % of held-out images",
        ("val_memorization",),
    ),
    ("Mean absolute error (lower is better)", ("val_mae",)),
    ("PSNR in dB (higher is better)", ("val_psnr",)),
    ("Structural similarity (higher is better)", ("val_ssim",)),
    ("Error of images translated there and back (lower is better)", _each("val_cycle_loss")),
    ("Losses", _each("discriminator_loss", "generator_loss")),
)


def write(path, title, opening, figures, sections, curves, choices, facts, alarms, commands):
    """Writes the page.

    Args:
        path: Path of the file.
        title: String.
        opening: String, HTML that shows what was made, from the functions below.
        figures: List of `(name, value, meaning)`, strings.
        sections: List of `(heading, HTML)`, strings.
        curves: List of dicts, the logs of each epoch.
        choices: List of `(name, value, reason)`, strings: the settings.
        facts: List of `(name, value)`, strings: data, time, machine, versions.
        alarms: List of strings.
        commands: List of `(purpose, command)`, strings.
    """
    parts = [f"<h1>{text(title)}</h1>"]
    parts += [f'<p class="alarm">{text(alarm)}</p>' for alarm in alarms]
    parts += [opening, "<h2>Metrics</h2>", _table(figures, numbers=True)]
    parts += [f"<h2>{text(heading)}</h2>\n{content}" for heading, content in sections]
    parts += ["<h2>Training</h2>", _plots(curves)]
    parts += ["<h2>Settings</h2>", _table(choices), "<h2>The run</h2>", _table(facts)]
    parts += ["<h2>Next steps</h2>", *(f"<p>{text(why)}</p><pre>{text(line)}</pre>" for why, line in commands)]
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body>\n{chr(10).join(parts)}\n</body></html>\n"
    )
    with saving.replacing(path) as part:
        part.write_text(page, encoding="utf-8")


def text(value):
    """Escapes the text of a value for HTML."""
    return html.escape(str(value))


def _table(rows, numbers=False):
    def cells(row):
        for i, cell in enumerate(row):
            yield f'<td class="number">{text(cell)}</td>' if numbers and i == 1 else f"<td>{text(cell)}</td>"

    lines = (f"<tr>{''.join(cells(row))}</tr>" for row in rows)
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def picture(pixels, alt, scale):
    """Returns HTML of one picture `(height, width, channels)`, uint8, enlarged `scale` times."""
    return f'<div class="wide"><img src="{_png(pixels)}" alt="{alt}" style="zoom: {scale}"></div>'


def stacks(pictures):
    """Returns HTML of images in vertical stacks.

    Args:
        pictures: Dict from descriptions to images, arrays `(n, height, width, channels)` in [-1, 1] with the same `n`.
    """
    parts = []
    for some in zip(*pictures.values(), strict=True):
        width = min(max(_NARROWEST, some[-1].shape[1]), _WIDEST)
        shown = (
            f'<img src="{_png(images.to_uint8(image))}" alt="{text(name)}" style="width: {width}px">'
            for name, image in zip(pictures, some, strict=True)
        )
        parts.append(f'<div class="pair">{"".join(shown)}</div>')
    return "\n".join(parts)


def animation(content, alt):
    """Returns HTML of a GIF that is given as bytes."""
    return f'<img src="{_uri("gif", content)}" alt="{alt}">'


def _uri(kind, content):
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _png(picture):
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture[:, :, 0] if picture.shape[-1] == 1 else picture).save(file, "png")
    return _uri("png", file.getvalue())


def _plots(curves):
    """Draws one plot for each kind of figure that was logged."""
    from matplotlib.figure import Figure

    epochs = np.array([line["epoch"] + 1 for line in curves])
    drawn = [(title, found) for title, names in _CURVES if (found := [n for n in names if n in (curves or [{}])[0]])]
    if not drawn:
        return "<p>No epoch was logged.</p>"
    figure = Figure(figsize=(9, 2.6 * len(drawn)), layout="constrained")
    for axes, (title, names) in zip(np.atleast_1d(figure.subplots(len(drawn), sharex=True)), drawn, strict=True):
        for name in names:
            axes.plot(
                epochs, [line[name] for line in curves], marker=".", label=name.removeprefix("val_").replace("_", " ")
            )
        axes.set_title(title, fontsize=10, loc="left")
        axes.grid(alpha=0.3)
        if len(names) > 1:
            axes.legend(fontsize=8)
    axes.set_xlabel("epoch")
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    return f'<img class="plot" src="{_uri("svg+xml", file.getvalue())}" alt="curves of losses and metrics over epochs">'
