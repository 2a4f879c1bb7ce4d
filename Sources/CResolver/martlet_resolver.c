#define _GNU_SOURCE
#include "martlet_resolver.h"

#ifdef __GLIBC__

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

// An IPv6 server stands beside the list, in memory that res_nclose() frees.
static int set_ipv6_server(struct __res_state *state, const struct sockaddr_in6 *server) {
    struct sockaddr_in6 **place = &state->_u._ext.nsaddrs[0];
    if (*place == NULL) *place = malloc(sizeof **place);
    if (*place == NULL) return -1;
    **place = *server;
    // What marks an entry of the list as one that stands beside it.
    state->nsaddr_list[0].sin_family = 0;
    return 0;
}

static int set_server(
    struct __res_state *state, const struct martlet_resolver_server *server) {
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(server->port)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(server->port)};
    if (inet_pton(AF_INET, server->address, &ipv4.sin_addr) == 1) {
        state->nsaddr_list[0] = ipv4;
    } else if (inet_pton(AF_INET6, server->address, &ipv6.sin6_addr) != 1
               || set_ipv6_server(state, &ipv6) != 0) {
        return -1;
    }
    state->nscount = 1;
    state->retrans = server->timeout_seconds;
    state->retry = server->attempts;
    return 0;
}

static ssize_t failure(int error) {
    switch (error) {
    case HOST_NOT_FOUND: return martlet_resolver_no_name;
    case NO_DATA: return martlet_resolver_no_records;
    case TRY_AGAIN: return martlet_resolver_no_answer;
    default: return martlet_resolver_refused;
    }
}

ssize_t martlet_resolver_ask(
    const char *name, int type, const struct martlet_resolver_server *server,
    unsigned char *answer, size_t size) {
    struct __res_state state;
    memset(&state, 0, sizeof state);
    if (res_ninit(&state) != 0) return martlet_resolver_refused;
    // Answers of many records then still come in one datagram.
    state.options |= RES_USE_EDNS0;
    const int room = size > INT_MAX ? INT_MAX : (int)size;
    ssize_t length = martlet_resolver_refused;
    if (server == NULL) {
        length = res_nsearch(&state, name, ns_c_in, type, answer, room);
        if (length < 0) length = failure(state.res_h_errno);
    } else if (set_server(&state, server) == 0) {
        length = res_nquery(&state, name, ns_c_in, type, answer, room);
        if (length < 0) length = failure(state.res_h_errno);
    }
    res_nclose(&state);
    return length > room ? martlet_resolver_refused : length;
}

#else

ssize_t martlet_resolver_ask(
    const char *name, int type, const struct martlet_resolver_server *server,
    unsigned char *answer, size_t size) {
    (void)name;
    (void)type;
    (void)server;
    (void)answer;
    (void)size;
    return martlet_resolver_refused;
}

#endif
