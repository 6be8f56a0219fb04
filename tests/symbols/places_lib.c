/* SPDX-License-Identifier: GPL-2.0-or-later */
int library_function(int);
int library_second(int);

__attribute__((noinline)) static int hidden(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x + 2;
}

int library_function(int x)
{
    return hidden(x) * 5;
}

int library_second(int x)
{
    return hidden(x) * 7;
}
