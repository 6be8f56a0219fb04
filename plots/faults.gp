# SPDX-License-Identifier: GPL-2.0-or-later
# Faults over time, stacked. Each row is a stretch that begins at column 1; the last row
# repeats the one before it at the end of the run.
set style fill solid 1 noborder
set yrange [0:*]
set xrange [0:*] noextend
set autoscale xfix
stack(n) = (sum [c = 2:n + 1] column(c)) / FL_Y_DIV
# From the top of the pile down, so that each lower one covers the rest. Characters have no areas:
# there each row is a bar of its series' own character.
if (FL_TERM) {
    plot for [k = 1:FL_N] FL_DATA using ($1 / FL_X_DIV):(stack(FL_N + 1 - k)) \
        with impulses title FL_NAME[FL_N + 1 - k]
} else {
    plot for [k = 1:FL_N] FL_STEPS using ($1 / FL_X_DIV):(stack(FL_N + 1 - k)) \
        with filledcurves y1=0 fillcolor rgb fl_hue(FL_N + 1 - k) title FL_NAME[FL_N + 1 - k]
}
