# SPDX-License-Identifier: GPL-2.0-or-later
# Address by time: 48 rows of FL_DATA, column 3 in percent, for each band. Marks of axis y are the
# bands' beginnings, the highest band first; those of axis x are phases.
FL_AREA = 0
do for [i = 1:FL_MARKS] {
    unset arrow 2000 + i
    unset label 2000 + i
}
fl_bands = FL_MARKS - FL_MARKS_X
fl_height = 9000.0
fl_strip = FL_TERM ? 0 : FL_COMPACT ? fl_height * 0.1 : fl_height * 0.012 # above each band
fl_base(i) = FL_MARK_AT[i] + (fl_bands - i) * fl_strip
fl_top(i) = (i == 1 ? fl_height : FL_MARK_AT[i - 1]) + (fl_bands - i) * fl_strip
stats FL_DATA using 1 every ::0::0 nooutput # the middle of the first column of time
fl_end = FL_X_MAX + STATS_min
stats FL_DATA using 1 nooutput
fl_points = STATS_records / fl_bands
set xrange [0:fl_end / FL_X_DIV] noextend
set yrange [0:fl_height + fl_bands * fl_strip] noextend
unset ylabel
unset key
unset grid
unset ytics
# viridis from its light end: dark is much, in print and with any colour vision; nothing is grey
set palette defined (0 '#F0F0F0', 0.5 '#F0F0F0', 0.5 '#FDE725', 12 '#A0DA39', 25 '#4AC16D', \
    38 '#1FA187', 50 '#277F8E', 63 '#365C8D', 75 '#46327E', 100 '#440154')
set cbrange [0:100]
if (FL_TERM) {
    unset colorbox
    set ytics ()
    do for [i = 1:fl_bands] {
        set ytics add (substr(FL_MARK[i], 1, 22) (fl_base(i) + fl_top(i)) / 2)
    }
    array FL_SHADE[5] = ['.', ':', '+', '*', '#']
    fl_shade(v) = v < 20 ? 1 : v < 40 ? 2 : v < 60 ? 3 : v < 80 ? 4 : 5
    set xlabel FL_X_LABEL . '   . : + * #  touched, in fifths' noenhanced
    # what is hotter is written over what is not
    plot for [k = 1:5] FL_DATA \
        using ($1 / FL_X_DIV):2:($3 > 0 && fl_shade($3) == k ? FL_SHADE[k] : '') \
        with labels notitle
} else {
    set cblabel FL_Y_LABEL noenhanced textcolor rgb 0x222222 offset (FL_COMPACT ? 0 : 0.8), 0
    set format cb '%g %%'
    set style line 99 linecolor rgb 0x999999 linewidth 0.8
    set tmargin 1.7 + 1.4 * FL_TITLE_LINES + (FL_MARKS_X > 0 ? 1.0 : 0)
    if (FL_COMPACT) {
        set lmargin 2
        set rmargin 2.5
        set bmargin 9.8 + fl_foot
        set cblabel offset 0, 0.6
        set colorbox horizontal user origin screen 0.06, character 5.0 + fl_foot \
            size screen 0.86, character 0.7
    } else {
        fl_longest = 0
        do for [i = 1:fl_bands] {
            fl_longest = strlen(FL_MARK[i]) > fl_longest ? strlen(FL_MARK[i]) : fl_longest
        }
        set lmargin 3.5 + fl_longest
        set rmargin 13
        set bmargin 5 + fl_foot
    }
    do for [i = 1:fl_bands] {
        set object 3000 + i rectangle from graph 0, first fl_base(i) to graph 1, first fl_top(i) \
            fillstyle empty border linecolor rgb 0x999999 linewidth 0.8 front
        if (FL_COMPACT) {
            set label 3000 + i FL_MARK[i] at graph 0, first fl_top(i) + 0.45 * fl_strip left \
                noenhanced font ",11" textcolor rgb 0x333333 front
        } else {
            set label 3000 + i FL_MARK[i] at graph 0, first (fl_base(i) + fl_top(i)) / 2 right \
                offset -0.8, 0 noenhanced font ",12" textcolor rgb 0x222222
        }
    }
    fl_last = -1
    do for [i = fl_bands + 1:FL_MARKS] {
        if (FL_MARK_AT[i] > 0) {
            set arrow 2000 + i from first FL_MARK_AT[i] / FL_X_DIV, graph 0 \
                to first FL_MARK_AT[i] / FL_X_DIV, graph 1 nohead dashtype (3, 3) linewidth 0.8 \
                linecolor rgb 0x555555 front
        }
        if (fl_last < 0 || FL_MARK_AT[i] - fl_last > fl_end * (FL_COMPACT ? 0.07 : 0.035)) {
            set label 2000 + i FL_MARK[i] at first FL_MARK_AT[i] / FL_X_DIV, graph 1 left \
                offset character 0.1, 0.6 noenhanced font ",11" textcolor rgb 0x444444 front
            fl_last = FL_MARK_AT[i]
        }
    }
    unset border
    plot for [i = 1:fl_bands] FL_DATA every ::((i - 1) * fl_points)::(i * fl_points - 1) \
        using ($1 / FL_X_DIV):($2 + (fl_bands - i) * fl_strip):3 with image notitle
}
