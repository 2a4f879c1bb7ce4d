#define _GNU_SOURCE
#include "martlet_spawn.h"

#include <errno.h>

int martlet_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
#ifdef __GLIBC__
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
#else
    (void)actions;
    (void)first;
    return ENOTSUP;
#endif
}
