#pragma once

// Questions to name servers by the C library's resolver, whose state Swift cannot hold.
//
// Each question has a state of its own, so any thread may ask at any time.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A name server other than the system's.
struct martlet_resolver_server {
    /// An IPv4 or IPv6 address in text.
    const char *address;
    uint16_t port;
    /// Seconds that an answer is awaited each time.
    int timeout_seconds;
    /// How often it is asked until there is an answer.
    int attempts;
};

/// Why there is no answer.
enum {
    /// There is no such name.
    martlet_resolver_no_name = -1,
    /// The name has no records of the type.
    martlet_resolver_no_records = -2,
    /// No server answered, or none could; the next time may be better.
    martlet_resolver_no_answer = -3,
    /// A server refused, or the resolver cannot work here.
    martlet_resolver_refused = -4,
};

/// Asks for the records of a name (class IN), and waits; over TCP where UDP has no room.
///
/// @param name what is asked for. The system's servers are also asked for it below the domains that
///     the system searches; another server is not.
/// @param type the number of the records' type.
/// @param server whom to ask; NULL for the system's, as resolv.conf says.
/// @param answer gets the whole message.
/// @param size how long that may be.
/// @return the length of the answer, which has records; or why there is none, below 0.
ssize_t martlet_resolver_ask(
    const char *name, int type, const struct martlet_resolver_server *server,
    unsigned char *answer, size_t size);

#ifdef __cplusplus
}
#endif
