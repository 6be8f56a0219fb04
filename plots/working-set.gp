# SPDX-License-Identifier: GPL-2.0-or-later
# What was touched in the last so many accesses, one line a window, longest first; the last series,
# what is resident, thin.
set yrange [0:*]
set xrange [0:*] noextend
set autoscale xfix
set offsets 0, 0, graph 0.12, 0
plot for [i = 1:FL_N] FL_DATA using ($1 / FL_X_DIV):(column(i + 1) / FL_Y_DIV) \
    with lines linewidth (FL_STYLE[i] == 8 ? 1.1 : 1.8) linecolor rgb fl_hue(i) title FL_NAME[i]
