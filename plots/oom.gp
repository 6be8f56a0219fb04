# SPDX-License-Identifier: GPL-2.0-or-later
# The OOM killer's candidates, a bar each.
load FL_PLOTS."/bars.gp"
