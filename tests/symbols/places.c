/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Says where its functions are: "NAME OFFSET PATH" a line, the offset in the file from
 * where the kernel mapped it, not from any symbol table.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int library_function(int);
int library_second(int);
int global_function(int);

__attribute__((noinline)) static int local_function(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x * 3;
}

__attribute__((noinline)) int global_function(int x)
{
    return local_function(x) + 1;
}

/* Two names for one place. */
__attribute__((alias("global_function"))) int __other_name(int);

/* No size, as assembler files often leave it; the next one follows at once. */
__asm__(".text\n.type sizeless, @function\nsizeless:\n nop\n nop\n ret\n"
        ".type after_sizeless, @function\nafter_sizeless:\n ret\n"
        ".size after_sizeless, . - after_sizeless\n");
void sizeless(void);
void after_sizeless(void);

static void place(const char *name, uintptr_t at)
{
    char line[4400], path[4200];
    uintptr_t start, end, offset;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        path[0] = 0;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNxPTR " %*s %*s %4100s", &start, &end,
                   &offset, path) < 3)
            continue;
        if (at >= start && at < end)
            printf("%s %" PRIuPTR " %s\n", name, at - start + offset, path);
    }
    if (maps)
        fclose(maps);
}

int main(void)
{
    place("local_function", (uintptr_t)local_function);
    place("local_function", (uintptr_t)local_function + 1);
    place("global_function", (uintptr_t)global_function);
    place("main", (uintptr_t)main);
    place("sizeless", (uintptr_t)sizeless);
    place("sizeless", (uintptr_t)sizeless + 2);
    place("after_sizeless", (uintptr_t)after_sizeless);
#ifdef PLACES_FIXED
    /* Not position-independent: the function's address is its entry in our linkage table. */
    place("library_second@plt", (uintptr_t)library_second);
#else
    place("library_second", (uintptr_t)library_second);
    place("library_function", (uintptr_t)library_function);
#endif
    return library_function(1) + library_second(1) + global_function(1) + __other_name(1) > 1000;
}
