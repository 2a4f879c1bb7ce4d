#pragma once

// What glibc's heap does with memory that was freed; <malloc.h> is not in Swift's module of glibc.

#ifdef __cplusplus
extern "C" {
#endif

/// Keeps what is freed for what is allocated next, unless the environment has set the thresholds.
void martlet_heap_keep_freed(void);

/// Hands what was freed back to the system.
void martlet_heap_release_freed(void);

#ifdef __cplusplus
}
#endif
