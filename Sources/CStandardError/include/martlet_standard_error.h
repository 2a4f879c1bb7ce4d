#pragma once

// Standard error led through a pipe, so that what native code prints can be put into the form of
// the other log lines; and a crash that waits until the last of it is out.
//
// There is one standard error in a process, so there is one state behind these functions.

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Leads standard error into a pipe, and waits for its reader when the process crashes.
///
/// @param original where standard error goes in truth; a copy of it, which stays open.
/// @return 0, or -1 if there is no pipe to be had, and then nothing is changed.
int martlet_standard_error_redirect(int original);

/// Waits for what was printed, and takes it; until martlet_standard_error_written() it counts as
/// not written yet.
///
/// @return the number of bytes, or 0 when standard error was restored and the pipe is empty.
ssize_t martlet_standard_error_read(void *buffer, size_t size);

/// Says that all that was read has been written.
void martlet_standard_error_written(void);

/// Makes standard error what it was; the reader finds the end of the pipe.
void martlet_standard_error_restore(void);

#ifdef __cplusplus
}
#endif
