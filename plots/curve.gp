# SPDX-License-Identifier: GPL-2.0-or-later
# A count against a size, one line a series; measured points with their bounds on top. On a log
# axis zero has a rung of its own.
set xrange [0:*]
if (FL_LOG_Y) {
    set format y "%.0s%c"
    set logscale y
    set yrange [0.5:*]
    set ytics add ("0" 0.5)
} else {
    set yrange [0:*]
}
rung(y) = (FL_LOG_Y && y < 0.5) ? 0.5 : y
y(i) = rung(column(i + 1) / FL_Y_DIV)
array FL_POINT[8] = [7, 5, 9, 13, 11, 3, 1, 2]
fl_bars = FL_TERM ? 0 : FL_POINTS_N
fl_dots = FL_TERM ? FL_POINTS_N : 0
plot for [i = 1:FL_LINE_N] FL_SERIES index (FL_LINE[i] - 1) \
        using ($1 / FL_X_DIV):(rung($2 / FL_Y_DIV)) \
        with linespoints linewidth 2 pointtype FL_POINT[(i - 1) % 8 + 1] pointsize 0.6 \
        linecolor rgb fl_hue(FL_LINE[i]) title FL_NAME[FL_LINE[i]], \
    for [i = 1:fl_bars] FL_DATA \
        using ($1 / FL_X_DIV):(y(FL_POINTS[i])):(y(FL_LOW[FL_POINTS[i]])):(y(FL_HIGH[FL_POINTS[i]])) \
        with yerrorbars linewidth 1.6 pointtype 6 pointsize 1 \
        linecolor rgb fl_ink title FL_NAME[FL_POINTS[i]], \
    for [i = 1:fl_dots] FL_DATA using ($1 / FL_X_DIV):(y(FL_POINTS[i])) \
        with points title FL_NAME[FL_POINTS[i]]
