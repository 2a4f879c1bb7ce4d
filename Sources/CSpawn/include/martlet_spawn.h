#pragma once

// What Swift's module of the C library leaves out of <spawn.h>.

#include <spawn.h>

/// Lets the child close all its files from a number on. The child does it itself, so no file that
/// another thread of ours opens meanwhile is inherited.
///
/// @return 0, or the number of an error.
int martlet_spawn_close_from(posix_spawn_file_actions_t *actions, int first);
