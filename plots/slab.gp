# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's object caches, a bar each: what is in use, and what their slabs hold besides.
load FL_PLOTS."/bars.gp"
