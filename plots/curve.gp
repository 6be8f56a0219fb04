# SPDX-License-Identifier: GPL-2.0-or-later
# A count against a size, one line a series. On a log axis zero has a rung of its own.
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
array FL_POINT[8] = [7, 5, 9, 13, 11, 3, 1, 2]
plot for [i = 1:FL_N] FL_SERIES index (i - 1) using ($1 / FL_X_DIV):(rung($2 / FL_Y_DIV)) \
    with linespoints linewidth 2 pointtype FL_POINT[(i - 1) % 8 + 1] pointsize 0.6 \
    linecolor rgb fl_hue(i) title FL_NAME[i]
