/* Room for records: small ones from malloc; large ones from huge pages, kept for the next lane.

   A lane of a million bars writes 15 MB of marks and records. Taken from the system page by page that costs
   more than the replay itself; taken from 2 MiB pages, and used again by the next lane, it costs little. Rooms
   below a page are cut from one: a portfolio's twenty lanes of 300 KB must not clear a page each. */
#ifndef INTERLOCK_ROOMS_H
#define INTERLOCK_ROOMS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ILR_PAGE ((size_t)2 << 20)
#define ILR_SMALL ((size_t)256 << 10)   /* up to here malloc serves as well */
#define ILR_CLASSES 7                   /* 0.5, 1, 2, 4, 8, 16 and 32 MiB are kept, at most 112 MiB in all */
#define ILR_KEPT 24

static void *ilr_kept[ILR_CLASSES][ILR_KEPT];
static const int ilr_slots[ILR_CLASSES] = {24, 8, 6, 4, 2, 1, 1};

/* What a request for `bytes` gives: doubling, so that one size fits many lanes. */
static size_t ilr_size(size_t bytes)
{
    size_t size = 2 * ILR_SMALL;
    if (bytes <= ILR_SMALL)
        return bytes;
    while (size < bytes)
        size *= 2;
    return size;
}

static int ilr_class(size_t size)
{
    int number = 0;
    while (number < ILR_CLASSES && 2 * ILR_SMALL << number < size)
        number++;
    return number;
}

/* Keep a room for the next lane, or give it back to the system where enough are kept. */
static void ilr_keep(void *old, size_t size)
{
    int number = ilr_class(size), slot;
    void *none;
    for (slot = 0; number < ILR_CLASSES && slot < ilr_slots[number]; slot++) {
        none = NULL;
        if (__atomic_compare_exchange_n(&ilr_kept[number][slot], &none, old, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
            return;
    }
    munmap(old, size);
}

static void *ilr_mapped(size_t size)
{
    size_t whole = size < ILR_PAGE ? ILR_PAGE : size, skip, cut;
    char *start = mmap(NULL, whole + ILR_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    skip = -(uintptr_t)start & (ILR_PAGE - 1);
    if (skip)
        munmap(start, skip);
    if (skip < ILR_PAGE)
        munmap(start + skip + whole, ILR_PAGE - skip);
#ifdef MADV_HUGEPAGE
    madvise(start + skip, whole, MADV_HUGEPAGE);
#endif
    for (cut = size; cut < whole; cut += size)
        ilr_keep(start + skip + cut, size);
    return start + skip;
}

/* Return `ilr_size(bytes)` bytes of any content, or NULL. */
static void *ilr_new(size_t bytes)
{
    size_t size = ilr_size(bytes);
    int number = ilr_class(size), slot;
    void *found;
    if (size <= ILR_SMALL)
        return malloc(size ? size : 1);
    for (slot = 0; number < ILR_CLASSES && slot < ilr_slots[number]; slot++) {
        found = __atomic_exchange_n(&ilr_kept[number][slot], NULL, __ATOMIC_ACQUIRE);
        if (found)
            return found;
    }
    return ilr_mapped(size);
}

/* Give back what was made for `bytes`. */
static void ilr_free(void *old, size_t bytes)
{
    size_t size = ilr_size(bytes);
    if (size <= ILR_SMALL)
        free(old);
    else if (old)
        ilr_keep(old, size);
}

#endif
