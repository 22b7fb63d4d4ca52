/* Room for records: small ones from malloc; large ones from huge pages, kept for the next lane.

   A lane of a million bars writes 15 MB of marks and records. Taken from the system page by page that costs
   more than the replay itself; taken from 2 MiB pages, and used again by the next lane, it costs little. */
#ifndef INTERLOCK_ROOMS_H
#define INTERLOCK_ROOMS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ILR_PAGE ((size_t)2 << 20)
#define ILR_SMALL ((size_t)256 << 10)   /* up to here malloc serves as well */
#define ILR_CLASSES 4                   /* 4, 8, 16 and 32 MiB are kept, at most 80 MiB in all */
#define ILR_KEPT 4

static void *ilr_kept[ILR_CLASSES][ILR_KEPT];
static const int ilr_slots[ILR_CLASSES] = {4, 2, 1, 1};

/* What a request for `bytes` gives: doubling, so that one size fits many lanes. */
static size_t ilr_size(size_t bytes)
{
    size_t size = 2 * ILR_PAGE;
    if (bytes <= ILR_SMALL)
        return bytes;
    while (size < bytes)
        size *= 2;
    return size;
}

static int ilr_class(size_t size)
{
    int number = 0;
    while (number < ILR_CLASSES && 2 * ILR_PAGE << number < size)
        number++;
    return number;
}

static void *ilr_mapped(size_t size)
{
    char *start = mmap(NULL, size + ILR_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t skip;
    if (start == MAP_FAILED)
        return NULL;
    skip = -(uintptr_t)start & (ILR_PAGE - 1);
    if (skip)
        munmap(start, skip);
    if (skip < ILR_PAGE)
        munmap(start + skip + size, ILR_PAGE - skip);
#ifdef MADV_HUGEPAGE
    madvise(start + skip, size, MADV_HUGEPAGE);
#endif
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
    int number = ilr_class(size), slot;
    void *none;
    if (size <= ILR_SMALL) {
        free(old);
        return;
    }
    for (slot = 0; old && number < ILR_CLASSES && slot < ilr_slots[number]; slot++) {
        none = NULL;
        if (__atomic_compare_exchange_n(&ilr_kept[number][slot], &none, old, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
            return;
    }
    if (old)
        munmap(old, size);
}

#endif
