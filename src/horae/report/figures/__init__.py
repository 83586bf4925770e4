"""The report's charts, each an SVG as text. A line's meaning is written beside it; lines differ without colour too."""
