"""Charts as inline SVG: scales with round ticks, thinned curves, and a drawing function for each kind.

Every function draws for a given width; `svg.figure` puts a wide and a narrow drawing side by side, and the style
sheet shows the one that fits, so that text is never scaled down on a phone. Colors are variables of the style sheet.
"""
