/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library with a function at the begin of each of 16 pages, called PAGES_00 to PAGES_15. */
#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define FUNCTION(n)                                          \
    int JOIN(PAGES, n)(int x);                               \
    __attribute__((aligned(4096))) int JOIN(PAGES, n)(int x) \
    {                                                        \
        return x * 1##n;                                     \
    }

FUNCTION(00)
FUNCTION(01)
FUNCTION(02)
FUNCTION(03)
FUNCTION(04)
FUNCTION(05)
FUNCTION(06)
FUNCTION(07)
FUNCTION(08)
FUNCTION(09)
FUNCTION(10)
FUNCTION(11)
FUNCTION(12)
FUNCTION(13)
FUNCTION(14)
FUNCTION(15)
