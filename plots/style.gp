# SPDX-License-Identifier: GPL-2.0-or-later
# What all charts share: colours, frame, title, footer. Loaded before NAME.gp.
#
# Variables set by the caller:
#   FL_TITLE FL_FOOTER FL_X_LABEL FL_Y_LABEL   texts; FL_TITLE_LINES FL_FOOTER_LINES: how many
#   FL_X_DIV FL_Y_DIV      divide data by these to get the labels' units
#   FL_LOG_Y FL_COMPACT FL_TERM                0 or 1
#   FL_WIDTH FL_HEIGHT                         of the picture: pixels, characters when FL_TERM
#   FL_N FL_NAME[] FL_STYLE[]                  series: columns 2 .. FL_N+1 of FL_DATA
#   FL_SHOWN FL_KEY_CHARS                      how many of them have a name in the legend; the longest
#   FL_LINE[] FL_POINTS[] FL_CROSS[]           series by role, FL_LINE_N FL_POINTS_N FL_CROSS_N of them
#   FL_LOW[] FL_HIGH[]                         series that are a series' bounds; itself when it has none
#   FL_MARKS FL_MARK_X[] FL_MARK_AT[] FL_MARK[]  lines across: vertical when FL_MARK_X
#   FL_MARKS_X FL_X_MAX    how many of those are vertical; the largest of column 1
#   FL_PLOTS               the folder of these scripts
#   FL_DATA FL_STEPS FL_SERIES  rows; each drawn out to the next; one index a series, no gaps
#
# Set here, for a chart to change:
#   FL_AREA   1: a row of the table is at its column 1 on the x axis, its series on the y axis

FL_AREA = 1

# Okabe and Ito's palette, told apart with any colour vision.
array FL_HUE[8]
FL_HUE[1] = 0x0072B2 # blue
FL_HUE[2] = 0xE69F00 # orange
FL_HUE[3] = 0x009E73 # green
FL_HUE[4] = 0xCC79A7 # purple
FL_HUE[5] = 0x56B4E9 # sky
FL_HUE[6] = 0xD55E00 # vermillion
FL_HUE[7] = 0xF0E442 # yellow
FL_HUE[8] = 0x555555 # grey
fl_hue(i) = FL_HUE[FL_STYLE[i]]
fl_ink = 0x222222 # what was measured, not modelled

set datafile separator "\t"
set xlabel FL_X_LABEL noenhanced
set ylabel FL_Y_LABEL noenhanced
set border 3 linewidth 1 linecolor rgb 0x777777
set format "%g"
set tics nomirror out scale 0.6
set key noenhanced samplen 1.6

# Names of vertical marks stand in turns on so many levels, for want of room beside each other.
fl_levels = FL_COMPACT || FL_TERM ? (FL_MARKS_X < 5 ? FL_MARKS_X : 4) : FL_MARKS_X > 3 ? 3 : FL_MARKS_X > 2 ? 2 : 1

# Title and footer hang on the picture's edge; each line of title takes its room.
if (FL_TERM) {
    do for [i = 1:FL_N] { FL_NAME[i] = " ".FL_NAME[i] }
    fl_cols = int((FL_WIDTH - 4) / (FL_KEY_CHARS + 8))
    fl_cols = fl_cols < 1 ? 1 : fl_cols < FL_SHOWN ? fl_cols : FL_SHOWN
    fl_rows = int((FL_SHOWN + fl_cols - 1) / fl_cols)
    set label 1001 FL_TITLE at character 1, character FL_HEIGHT - 1 left noenhanced
    set label 1002 FL_FOOTER at character 1, character FL_FOOTER_LINES - 1 left noenhanced
    set tmargin 1 + FL_TITLE_LINES + (FL_MARKS_X > 0 ? fl_levels + 1 : 0)
    set bmargin 4 + fl_rows + FL_FOOTER_LINES
    set key at screen 0.5, character FL_FOOTER_LINES + 1 center bottom horizontal maxcols fl_cols \
        samplen 3 width 2 Left reverse
} else {
    set grid ytics linetype 1 linewidth 0.6 linecolor rgb 0xDDDDDD
    set tics textcolor rgb 0x333333
    set key textcolor rgb 0x222222
    set label 1001 FL_TITLE at character 1.5, screen 1 left offset character 0, -1.4 noenhanced \
        font ",16" textcolor rgb 0x111111
    fl_foot = FL_FOOTER_LINES - 1
    set label 1002 FL_FOOTER at character 1.5, character 0.8 + fl_foot left noenhanced font ",11" \
        textcolor rgb 0x666666
    set tmargin 1.7 + 1.4 * FL_TITLE_LINES + (FL_MARKS_X > 0 ? fl_levels - 0.2 : 0)
    if (FL_COMPACT) {
        fl_cols = FL_KEY_CHARS > 14 ? 1 : FL_KEY_CHARS > 5 ? 2 : 3
        fl_rows = int((FL_SHOWN + fl_cols - 1) / fl_cols)
        set bmargin 5.2 + 1.15 * fl_rows + fl_foot
        set rmargin 2.5
        set key at screen 0.5, character 1.8 + fl_foot center bottom horizontal maxcols fl_cols
    } else {
        set bmargin 5 + fl_foot
        set rmargin 8 + 1.02 * FL_KEY_CHARS
        # gnuplot counts a name for each empty iteration of a plot as well.
        set key at screen 0.985, graph 1 right top vertical maxrows FL_SHOWN + 9 Left reverse
    }
}

# A limit or a peak: a dashed line and its name. Called by a chart once its ranges are set.
fl_mark_x(i) = FL_MARK_AT[i] / FL_X_DIV
fl_mark_y(i) = FL_MARK_AT[i] / FL_Y_DIV
do for [i = 1:FL_MARKS] {
    if (FL_MARK_X[i]) {
        set arrow 2000 + i from first fl_mark_x(i), graph 0 to first fl_mark_x(i), graph 1 \
            nohead dashtype (6, 4) linewidth 1.4 linecolor rgb 0x444444 front
        # Above the frame, on the side of its line where there is room.
        fl_lift = (FL_TERM ? 2 : 0.6) + i % fl_levels
        if (FL_MARK_AT[i] > 0.6 * FL_X_MAX) {
            set label 2000 + i FL_MARK[i] at first fl_mark_x(i), graph 1 right \
                offset character 0.6, fl_lift noenhanced font ",11" textcolor rgb 0x444444 front
        } else {
            set label 2000 + i FL_MARK[i] at first fl_mark_x(i), graph 1 left \
                offset character -0.6, fl_lift noenhanced font ",11" textcolor rgb 0x444444 front
        }
    } else {
        set arrow 2000 + i from graph 0, first fl_mark_y(i) to graph 1, first fl_mark_y(i) \
            nohead dashtype (6, 4) linewidth 1.4 linecolor rgb 0x444444 front
        set label 2000 + i FL_MARK[i] at graph 0.99, first fl_mark_y(i) right \
            offset character 0, 0.7 noenhanced font ",11" textcolor rgb 0x444444 front
    }
}
