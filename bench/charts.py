# SPDX-License-Identifier: MIT
"""A chart of a case as SVG: speed and CPU of each tool, medians with whiskers from the least to the most."""

import html
import statistics

from rows import values

LEFT, PANEL, GAP, ROW, TOP, BOTTOM = 230, 270, 90, 30, 46, 14
LONGEST = 12  # times hfpour's: what is longer is cut
# Readable on white and on black; a viewer that tells its scheme gets the fitting one.
STYLE = """<style>
text { font: 12px sans-serif; fill: #24292f } .head { font-weight: bold } .mine { fill: #2f7ed8 } .other { fill: #9aa4ae }
.whisker, .axis { stroke: #57606a; fill: none } .cut { stroke: #ffffff; stroke-width: 2; fill: none }
@media (prefers-color-scheme: dark) { text { fill: #d7dee6 } .other { fill: #6b7681 } .cut { stroke: #0d1117 } .whisker, .axis { stroke: #aeb8c2 } }
</style>"""


def bar(found, x, y, scale, mine, digits):
    """One bar with its whisker and its number; one that is too long for the panel is cut, and dashed at its end."""
    middle, low, high = (min(value * scale, PANEL) for value in (statistics.median(found), min(found), max(found)))
    centre = y + ROW / 2
    lines = [f'<rect class="{"mine" if mine else "other"}" x="{x}" y="{y + 6}" width="{max(1, middle):.1f}" height="{ROW - 12}"/>']
    if statistics.median(found) * scale > PANEL:
        lines.append(f'<path class="cut" d="M{x + PANEL - 12} {y + 4}v{ROW - 8}m6 0v-{ROW - 8}"/>')
    else:
        lines.append(f'<path class="whisker" d="M{x + low:.1f} {centre}H{x + high:.1f}M{x + low:.1f} {centre - 4}v8'
                     f'M{x + high:.1f} {centre - 4}v8"/>')
    lines.append(f'<text x="{x + max(middle, high) + 6:.1f}" y="{centre + 4}">{statistics.median(found):,.{digits}f}</text>')
    return "".join(lines)


def panel(tools, series, x, title, digits):
    """All bars of one metric, to one scale from zero that fits hfpour's and what is not many times as long."""
    mine = max((max(found) for tool, found in zip(tools, series) if found and tool["verified"]), default=0)
    fitting = [max(found) for found in series if found and (not mine or statistics.median(found) <= LONGEST * mine)]
    scale = PANEL / (max(fitting, default=1) or 1)
    lines = [f'<text class="head" x="{x}" y="{TOP - 10}">{html.escape(title)}</text>',
             f'<path class="axis" d="M{x} {TOP}V{TOP + ROW * len(tools)}"/>']
    for number, (tool, found) in enumerate(zip(tools, series)):
        y = TOP + ROW * number
        lines.append(bar(found, x, y, scale, tool["verified"], digits) if found else f'<text x="{x + 6}" y="{y + ROW / 2 + 4}">failed</text>')
    return lines


def chart(letter, case):
    """The SVG's text."""
    tools = case["tools"]
    small = letter == "e"
    good = {tool["name"]: [row for row in case["rows"] if row["tool"] == tool["name"] and row["exit"] == 0] for tool in tools}
    speed = [[row["files"] / row["wall"] for row in good[tool["name"]]] if small else values(case, tool["name"], "speed") for tool in tools]
    cpu = [values(case, tool["name"], "cpu") for tool in tools]
    width, height = LEFT + 2 * (PANEL + GAP), TOP + ROW * len(tools) + BOTTOM
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">', STYLE,
             f'<title>{html.escape(case["title"])}</title>', f'<text class="head" x="8" y="18">({letter}) {html.escape(case["title"])}</text>']
    for number, tool in enumerate(tools):
        lines.append(f'<text x="{LEFT - 8}" y="{TOP + ROW * number + ROW / 2 + 4}" text-anchor="end">{html.escape(tool["name"])}</text>')
    lines += panel(tools, speed, LEFT, "files/s, more is better" if small else "MiB/s, more is better", 0)
    lines += panel(tools, cpu, LEFT + PANEL + GAP, "CPU, s/GB, less is better", 2)
    return "\n".join(lines + ["</svg>\n"])
