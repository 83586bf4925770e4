"""What the page promises: words that can be read in light and in dark, and headings where they belong."""

import re

import pytest

from horae.report.page import STYLE, section

THEMES = dict(zip(("light", "dark"), re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL), strict=True))
WORDS = ("ink", "soft", "ours", "rival", *(f"c{i}" for i in range(7)))


def luminance(colour):
    """Relative luminance as in WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Contrast ratio as in WCAG 2, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mix(one, other, share):
    """So much of the first colour in the second."""
    return "#" + "".join(
        f"{round(share * int(one[i : i + 2], 16) + (1 - share) * int(other[i : i + 2], 16)):02x}" for i in (1, 3, 5)
    )


def test_contrast_is_measured_as_it_should_be():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
def test_words_stand_out_from_the_paper(theme):
    colours = dict(re.findall(r"--(\w+): (#\w{6})", THEMES[theme]))
    for name in WORDS:
        for ground in ("paper", "card"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    full = int(re.search(r"var\(--share\) \* (\d+)%", STYLE)[1]) / 100  # the darkest cell of groups by cohorts
    assert contrast(colours["ink"], mix(colours["ours"], colours["paper"], full)) >= 4.5


def test_a_section_has_the_heading_it_is_given():
    assert section("A < B", "", "<p>b</p>") == "<section>\n<h2>A &lt; B</h2>\n<p>b</p>\n</section>"
    assert "<h3>A</h3>" in section("A", "<p>b</p>", level=3)
    assert section("A", "", "") == ""
