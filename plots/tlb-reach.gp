# SPDX-License-Identifier: GPL-2.0-or-later
# Two bars a mapping, one below the other, its name above them. Column 1: the mapping's place, n
# for the first down to 1; the bars lie, their length is on FL_Y's scale.
FL_AREA = 0
do for [i = 1:FL_MARKS] {
    unset arrow 2000 + i
    unset label 2000 + i
}
stats FL_DATA using 2 nooutput # before there are ranges that leave something out
fl_most = STATS_max
stats FL_DATA using 3 nooutput
fl_most = STATS_max > fl_most ? STATS_max : fl_most
set xlabel FL_Y_LABEL noenhanced
unset ylabel
unset ytics
unset grid
set xrange [0:*]
set yrange [0.5:FL_MARKS + 0.6] noextend
set style fill solid 1 noborder
fl_from(i) = (i == 1 ? -0.14 : -0.38)
fl_to(i) = (i == 1 ? 0.08 : -0.16)
if (FL_TERM) {
    set ytics ()
    do for [i = 1:FL_MARKS] {
        set ytics add (substr(FL_MARK[i], 1, 22) FL_MARK_AT[i])
    }
    # a bar is a row of characters
    array FL_BAR[2] = ['########################################', \
        '========================================']
    set xrange [0:fl_most / FL_Y_DIV * 1.3] noextend
    set key noautotitle
    set xlabel FL_Y_LABEL . '   ### ' . FL_NAME[1] . '   === ' . FL_NAME[2] noenhanced
    fl_bar(i, v) = substr(FL_BAR[i], 1, int(ceil(v / fl_most * 40)))
    plot for [i = 1:FL_N] FL_DATA using (0.02 * fl_most / FL_Y_DIV):($1 + (i == 1 ? 0.2 : -0.2)):\
        (fl_bar(i, column(i + 1))) with labels left notitle
} else {
    set border 1 linewidth 1 linecolor rgb 0x777777
    set grid xtics linetype 1 linewidth 0.6 linecolor rgb 0xDDDDDD back
    set lmargin 3
    set offsets 0, graph 0.02, 0, 0
    do for [i = 1:FL_MARKS] {
        set label 3000 + i FL_MARK[i] at graph 0, first FL_MARK_AT[i] + 0.34 left \
            offset character 0.4, 0 noenhanced font ",12" textcolor rgb 0x222222 front
    }
    plot for [i = 1:FL_N] FL_DATA \
        using (0):1:(0):(column(i + 1) / FL_Y_DIV):($1 + fl_from(i)):($1 + fl_to(i)) \
        with boxxyerror linecolor rgb fl_hue(i) title FL_NAME[i]
}
