"""Charts of runs, analyses and tables.

Each kind has a module that makes a `chart.Chart` of what it is given: data, with no import of
matplotlib. `save.save(chart, stem)` writes PNG and SVG, `svg.inline(chart, prefix)` returns an
<svg> element for a page, `draw.draw(chart)` the matplotlib figure that both are made of.
"""
