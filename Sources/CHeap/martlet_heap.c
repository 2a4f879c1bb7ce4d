#include "martlet_heap.h"

#include <malloc.h>
#include <stdlib.h>

void martlet_heap_keep_freed(void) {
    if (getenv("MALLOC_MMAP_THRESHOLD_") == NULL) mallopt(M_MMAP_THRESHOLD, 32 << 20);
    if (getenv("MALLOC_TRIM_THRESHOLD_") == NULL) mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

void martlet_heap_release_freed(void) { malloc_trim(0); }
