# SPDX-License-Identifier: GPL-2.0-or-later
# Sizes over time: the first series filled, the rest as lines. Rows are ends of stretches.
set yrange [0:*]
set xrange [0:*] noextend
set autoscale xfix
set offsets 0, 0, graph 0.12, 0
fl_filled = FL_TERM ? 0 : 1
plot for [i = 1:fl_filled] FL_DATA using ($1 / FL_X_DIV):($2 / FL_Y_DIV) with filledcurves y1=0 \
        fillstyle transparent solid 0.18 noborder linecolor rgb fl_hue(1) notitle, \
    for [i = 1:FL_N] FL_DATA using ($1 / FL_X_DIV):(column(i + 1) / FL_Y_DIV) \
        with lines linewidth 2 linecolor rgb fl_hue(i) title FL_NAME[i]
