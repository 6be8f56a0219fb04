# SPDX-License-Identifier: GPL-2.0-or-later
# A bar a thing (a process, a cache), its parts end to end, its name above it. Column 1: its place, n for the
# first down to 1; the bars lie, their length is on FL_Y's scale.
FL_AREA = 0
do for [i = 1:FL_MARKS] {
    unset arrow 2000 + i
    unset label 2000 + i
}
upto(n) = (n == 0 ? 0 : (sum [c = 2:n + 1] column(c)) / FL_Y_DIV)
stats FL_DATA using (upto(FL_N)) nooutput # before there are ranges that leave something out
fl_most = STATS_max
set xlabel FL_Y_LABEL noenhanced
unset ylabel
unset ytics
unset grid
set yrange [0.5:FL_MARKS + 0.6] noextend
set style fill solid 1 noborder
if (FL_TERM) {
    set ytics ()
    do for [i = 1:FL_MARKS] {
        set ytics add (substr(FL_MARK[i], 1, 30) FL_MARK_AT[i])
    }
    set xrange [0:fl_most * 1.1] noextend
    fl_bar = '########################################'
    fl_part(v) = substr(fl_bar, 1, int(ceil(v / fl_most * 40)))
    plot FL_DATA using (0.02 * fl_most):1:(fl_part(upto(FL_N))) with labels left notitle
} else {
    set xrange [0:*]
    set border 1 linewidth 1 linecolor rgb 0x777777
    set grid xtics linetype 1 linewidth 0.6 linecolor rgb 0xDDDDDD back
    set lmargin 3
    do for [i = 1:FL_MARKS] {
        set label 3000 + i FL_MARK[i] at graph 0, first FL_MARK_AT[i] + 0.3 left \
            offset character 0.4, 0 noenhanced font ",12" textcolor rgb 0x222222 front
    }
    plot for [i = 1:FL_N] FL_DATA \
        using (0):1:(upto(i - 1)):(upto(i)):($1 - 0.32):($1 + 0.1) \
        with boxxyerror linecolor rgb fl_hue(i) title FL_NAME[i]
}
