/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills a table of 256 pages in one function and walks it twice in another, here and in a child. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TABLE_BYTES (256u * 4096u)

__attribute__((noinline)) static void fill_table(unsigned char *table)
{
    for (size_t i = 0; i < TABLE_BYTES; i += 4096u)
        table[i] = 1;
}

__attribute__((noinline)) static unsigned walk_table(const unsigned char *table)
{
    unsigned sum = 0;
    for (size_t i = 0; i < TABLE_BYTES; i += 4096u)
        sum += *(const volatile unsigned char *)&table[i];
    return sum;
}

/* Code that no file has: ret. */
static int run_generated(unsigned char *page)
{
    static const unsigned char code[] = { 0x8b, 0x05, 0xfa, 0x0f, 0x00, 0x00, /* mov 0x1000(page) */
                                          0xc3 };
    int (*function)(void);
    memcpy(page, code, sizeof code);
    memcpy(&function, &page, sizeof function);
    return function();
}

int main(void)
{
    unsigned char *table =
        mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *code = mmap(NULL, 2u * 4096u, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED || code == MAP_FAILED)
        return 1;
    printf("0x%lx 0x%lx\n", (unsigned long)table >> 12, (unsigned long)code >> 12);
    fflush(stdout);
    fill_table(table);
    unsigned sum = walk_table(table) + walk_table(table) + (unsigned)run_generated(code);
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(walk_table(table) == 0);
    if (waitpid(child, &status, 0) != child || status != 0)
        return 1;
    return sum == 1;
}
