# SPDX-License-Identifier: GPL-2.0-or-later
# Free memory over time by size of block, stacked: each row is the state at column 1.
set style fill solid 1 noborder
set yrange [0:*]
set xrange [*:*] noextend
set autoscale xfix
stack(n) = (sum [c = 2:n + 1] column(c)) / FL_Y_DIV
# From the top of the pile down, so that each lower one covers the rest.
if (FL_TERM) {
    plot for [k = 1:FL_N] FL_DATA using ($1 / FL_X_DIV):(stack(FL_N + 1 - k)) \
        with impulses title FL_NAME[FL_N + 1 - k]
} else {
    plot for [k = 1:FL_N] FL_DATA using ($1 / FL_X_DIV):(stack(FL_N + 1 - k)) \
        with filledcurves y1=0 fillcolor rgb fl_hue(FL_N + 1 - k) title FL_NAME[FL_N + 1 - k]
}
