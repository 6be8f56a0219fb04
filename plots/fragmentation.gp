# SPDX-License-Identifier: GPL-2.0-or-later
# Indices of fragmentation over time, in percent, one line a size of block.
set yrange [0:*]
set offsets 0, 0, graph 0.08, 0
set xrange [*:*] noextend
set autoscale xfix
plot for [i = 1:FL_N] FL_DATA using ($1 / FL_X_DIV):(column(i + 1) / FL_Y_DIV) \
    with lines linewidth 2 linecolor rgb fl_hue(i) title FL_NAME[i]
