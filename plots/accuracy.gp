# SPDX-License-Identifier: GPL-2.0-or-later
# What was measured, as points with bounds, and what was said of it: the first line thick and with
# its own bounds as a band, the others thin and below it. On a log axis zero has a rung of its own.
set xrange [*:*] noextend
set offsets graph 0.04, graph 0.04, 0, 0
if (FL_LOG_Y) {
    set format y "%.0s%c"
    set logscale y
    set yrange [0.5:*]
    set ytics add ("0" 0.5)
} else {
    set yrange [0:*]
}
rung(y) = (FL_LOG_Y && y < 0.5) ? 0.5 : y
x(unused) = column(1) / FL_X_DIV
y(i) = rung(column(i + 1) / FL_Y_DIV)
array FL_POINT[8] = [7, 5, 9, 13, 11, 3, 1, 2]
fl_bands = FL_TERM ? 0 : FL_LINE_N
fl_bars = FL_TERM ? 0 : FL_POINTS_N
fl_dots = FL_TERM ? FL_POINTS_N : 0
plot for [i = 1:fl_bands] FL_DATA using (x(0)):(y(FL_LOW[FL_LINE[i]])):(y(FL_HIGH[FL_LINE[i]])) \
        with filledcurves fillstyle transparent solid 0.22 noborder \
        linecolor rgb fl_hue(FL_LINE[i]) notitle, \
    for [i = 1:fl_bars] FL_DATA \
        using (x(0)):(y(FL_POINTS[i])):(y(FL_LOW[FL_POINTS[i]])):(y(FL_HIGH[FL_POINTS[i]])) \
        with yerrorbars linewidth 1.6 pointtype 6 pointsize 1.2 \
        linecolor rgb fl_ink title FL_NAME[FL_POINTS[i]], \
    for [i = 1:FL_LINE_N] FL_SERIES index (FL_LINE[i] - 1) \
        using ($1 / FL_X_DIV):(rung($2 / FL_Y_DIV)) \
        with linespoints linewidth (i == 1 ? 2.2 : 1.1) pointtype FL_POINT[(i - 1) % 8 + 1] \
        pointsize (i == 1 ? 0.6 : 0.5) linecolor rgb fl_hue(FL_LINE[i]) title FL_NAME[FL_LINE[i]], \
    FL_SERIES index (FL_LINE[1] - 1) using ($1 / FL_X_DIV):(rung($2 / FL_Y_DIV)) \
        with linespoints linewidth 2.2 pointtype FL_POINT[1] pointsize 0.6 \
        linecolor rgb fl_hue(FL_LINE[1]) notitle, \
    for [i = 1:fl_dots] FL_DATA using (x(0)):(y(FL_POINTS[i])) \
        with points title FL_NAME[FL_POINTS[i]], \
    for [i = 1:FL_CROSS_N] FL_DATA using (x(0)):(y(FL_CROSS[i])) \
        with points linewidth 2 pointtype 2 pointsize 1.6 \
        linecolor rgb fl_hue(FL_CROSS[i]) title FL_NAME[FL_CROSS[i]]
