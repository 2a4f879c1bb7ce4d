// The backend behind the proxies that are measured, for what nginx cannot be: one port for HTTP/1.1
// and for HTTP/2 without TLS, whose answer to a gRPC call has a message and a trailer, and which
// reads a large request to its end before it answers. One thread; answers are made beforehand.
//
//   backend PORT SMALL LARGE LISTING MESSAGE
//
// The last four are files: the body of an HTTP/1.1 answer, that for paths that begin with /large,
// that for /v1/models, and the message of a gRPC answer with its prefix. HTTP/1.1 requests need a
// Content-Length if they have a body. It trusts its peers: what it does not understand ends it.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_BYTES = 1 << 18, OUT_BYTES = 1 << 16, DESCRIPTORS_MAX = 1 << 16, EVENTS_MAX = 256 };
enum { WAITING_MAX = 1024, FRAME_HEAD_BYTES = 9, PREFACE_BYTES = 24, WINDOW = 1 << 30 };
enum { DATA = 0, HEADERS = 1, SETTINGS = 4, PING = 6, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, INITIAL_WINDOW_SIZE = 4 };
enum { DEFAULT_WINDOW = 65535, FRAME_BYTES_MAX = 16384 };

enum protocol { UNKNOWN, HTTP1, HTTP2 };

struct text {
    char *bytes;
    size_t size;
};

struct connection {
    int socket;
    enum protocol protocol;
    bool wants_to_write;
    // What has come and was not looked at yet.
    size_t in_size;
    // HTTP/1.1: what is left of the request's body, and of the answer.
    bool in_body;
    size_t body_left;
    struct text answer;
    // HTTP/2: frames to be sent, the peer's window, and streams that wait for it.
    size_t out_size;
    int64_t window;
    uint32_t received;
    uint32_t waiting[WAITING_MAX];
    size_t waiting_count;
    char in[IN_BYTES];
    char out[OUT_BYTES];
};

static struct text small, large, listing, reply;
static struct connection *connections[DESCRIPTORS_MAX];
static int events;

static void fail(const char *what) {
    fprintf(stderr, "backend: %s (%s)\n", what, strerror(errno));
    exit(1);
}

static struct text read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) fail(path);
    struct text text = {.size = (size_t)ftell(file)};
    rewind(file);
    text.bytes = malloc(text.size + 1);
    if (text.bytes == NULL || fread(text.bytes, 1, text.size, file) != text.size) fail(path);
    fclose(file);
    return text;
}

static struct text http1_answer(const char *path) {
    struct text body = read_file(path);
    struct text answer = {.bytes = malloc(body.size + 256)};
    if (answer.bytes == NULL) fail("memory");
    int head = sprintf(
        answer.bytes,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        body.size);
    memcpy(answer.bytes + head, body.bytes, body.size);
    answer.size = (size_t)head + body.size;
    return answer;
}

// MARK: HTTP/2 (RFC 9113)

static size_t put_frame(
    char *at, int type, int flags, uint32_t stream, const void *payload, size_t size) {
    uint32_t number = htonl(stream);
    char head[5] = {(char)(size >> 16), (char)(size >> 8), (char)size, (char)type, (char)flags};
    memcpy(at, head, sizeof head);
    memcpy(at + 5, &number, sizeof number);
    memcpy(at + FRAME_HEAD_BYTES, payload, size);
    return FRAME_HEAD_BYTES + size;
}

static void send_frame(
    struct connection *it, int type, int flags, uint32_t stream, const void *payload, size_t size) {
    if (it->out_size + FRAME_HEAD_BYTES + size > OUT_BYTES) fail("a peer that does not read");
    it->out_size += put_frame(it->out + it->out_size, type, flags, stream, payload, size);
}

static void send_window(struct connection *it, uint32_t bytes) {
    uint32_t value = htonl(bytes);
    send_frame(it, WINDOW_UPDATE, 0, 0, &value, sizeof value);
}

// Three frames: head, message, trailer. Their field blocks refer to no table (RFC 7541), so that
// they are the same for every stream.
static void send_reply(struct connection *it, uint32_t stream) {
    static const char head[] = "\x88\x0f\x10\x10" "application/grpc";
    static const char trailer[] = "\x00\x0bgrpc-status\x01" "0";
    send_frame(it, HEADERS, END_HEADERS, stream, head, sizeof head - 1);
    send_frame(it, DATA, 0, stream, reply.bytes, reply.size);
    send_frame(it, HEADERS, END_HEADERS | END_STREAM, stream, trailer, sizeof trailer - 1);
    it->window -= (int64_t)reply.size;
}

static size_t reply_frames_size(void) { return reply.size + 128; }

// Answers those that wait, as far as the peer's window and the buffer go.
static void send_replies(struct connection *it) {
    size_t done = 0;
    while (done < it->waiting_count && it->window >= (int64_t)reply.size &&
           it->out_size + reply_frames_size() <= OUT_BYTES / 2)
        send_reply(it, it->waiting[done++]);
    it->waiting_count -= done;
    memmove(it->waiting, it->waiting + done, it->waiting_count * sizeof it->waiting[0]);
}

static uint32_t number_at(const char *bytes) {
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    return ntohl(number);
}

static void read_settings(struct connection *it, int flags, const char *payload, size_t size) {
    if (flags & ACK) return;
    for (size_t at = 0; at + 6 <= size; at += 6) {
        int name = (unsigned char)payload[at] << 8 | (unsigned char)payload[at + 1];
        if (name == INITIAL_WINDOW_SIZE && number_at(payload + at + 2) < reply.size)
            fail("a peer whose streams have too small a window");
    }
    send_frame(it, SETTINGS, ACK, 0, "", 0);
}

static void read_frame(
    struct connection *it, int type, int flags, uint32_t stream, const char *payload, size_t size) {
    if (type == SETTINGS) read_settings(it, flags, payload, size);
    if (type == PING && !(flags & ACK)) send_frame(it, PING, ACK, 0, payload, size);
    if (type == WINDOW_UPDATE && stream == 0) it->window += number_at(payload) & 0x7fffffff;
    if (type == DATA) it->received += (uint32_t)size;
    if (it->received > WINDOW / 2) {
        send_window(it, it->received);
        it->received = 0;
    }
    if ((type == HEADERS || type == DATA) && (flags & END_STREAM)) {
        if (it->waiting_count == WAITING_MAX) fail("too many streams");
        it->waiting[it->waiting_count++] = stream;
    }
}

static void begin_http2(struct connection *it) {
    // Window of streams: all there is.
    static const char settings[] = {0, INITIAL_WINDOW_SIZE, 0x7f, (char)0xff, (char)0xff,
                                    (char)0xff};
    it->protocol = HTTP2;
    it->window = DEFAULT_WINDOW;
    send_frame(it, SETTINGS, 0, 0, settings, sizeof settings);
    send_window(it, WINDOW);
}

// Returns how many bytes it has used.
static size_t read_http2(struct connection *it, const char *bytes, size_t size) {
    size_t used = 0;
    while (size - used >= FRAME_HEAD_BYTES) {
        const unsigned char *head = (const unsigned char *)bytes + used;
        size_t length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (length > FRAME_BYTES_MAX) fail("a frame that is too long");
        if (size - used < FRAME_HEAD_BYTES + length) break;
        uint32_t stream = number_at(bytes + used + 5) & 0x7fffffff;
        read_frame(it, head[3], head[4], stream, bytes + used + FRAME_HEAD_BYTES, length);
        used += FRAME_HEAD_BYTES + length;
    }
    send_replies(it);
    return used;
}

// MARK: HTTP/1.1 (RFC 9112)

static struct text answer_for(const char *head) {
    const char *path = strchr(head, ' ');
    if (path == NULL) fail("a request without a path");
    if (strncmp(path + 1, "/large", 6) == 0) return large;
    return strncmp(path + 1, "/v1/models ", 11) == 0 ? listing : small;
}

static size_t content_length(const char *head) {
    if (strcasestr(head, "\r\ntransfer-encoding:") != NULL) fail("a request in chunks");
    const char *field = strcasestr(head, "\r\ncontent-length:");
    return field == NULL ? 0 : strtoul(field + strlen("\r\ncontent-length:"), NULL, 10);
}

// Returns how many bytes it has used; stops at the end of a request, which is to be answered.
static size_t read_http1(struct connection *it, char *bytes, size_t size) {
    size_t used = 0;
    if (!it->in_body) {
        char *end = memmem(bytes, size, "\r\n\r\n", 4);
        if (end == NULL) return 0;
        end[2] = 0;
        it->answer = answer_for(bytes);
        it->body_left = content_length(bytes);
        it->in_body = true;
        used = (size_t)(end - bytes) + 4;
    }
    size_t part = size - used < it->body_left ? size - used : it->body_left;
    it->body_left -= part;
    return used + part;
}

// MARK: Connections

static void watch(struct connection *it, bool to_write) {
    if (it->wants_to_write == to_write) return;
    it->wants_to_write = to_write;
    struct epoll_event event = {.events = to_write ? EPOLLOUT : EPOLLIN, .data.fd = it->socket};
    if (epoll_ctl(events, EPOLL_CTL_MOD, it->socket, &event) != 0) fail("epoll_ctl");
}

static void close_connection(struct connection *it) {
    connections[it->socket] = NULL;
    close(it->socket);
    free(it);
}

// Returns how many bytes went; -1 if the connection is lost.
static ssize_t write_some(struct connection *it, const char *bytes, size_t size) {
    ssize_t sent = send(it->socket, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return 0;
    return sent;
}

// Returns false if the connection is lost.
static bool write_out(struct connection *it) {
    if (it->out_size > 0) {
        ssize_t sent = write_some(it, it->out, it->out_size);
        if (sent < 0) return false;
        it->out_size -= (size_t)sent;
        memmove(it->out, it->out + sent, it->out_size);
    }
    if (it->in_body && it->body_left == 0) {
        ssize_t sent = write_some(it, it->answer.bytes, it->answer.size);
        if (sent < 0) return false;
        it->answer.bytes += sent;
        it->answer.size -= (size_t)sent;
        if (it->answer.size == 0) it->in_body = false;
    }
    return true;
}

static bool has_output(const struct connection *it) {
    return it->out_size > 0 || (it->in_body && it->body_left == 0);
}

static size_t read_protocol(struct connection *it, char *bytes, size_t size) {
    if (it->protocol == HTTP1) return read_http1(it, bytes, size);
    if (it->protocol == HTTP2) return read_http2(it, bytes, size);
    if (size < 3) return 0;
    if (memcmp(bytes, "PRI", 3) != 0) {
        it->protocol = HTTP1;
        return read_http1(it, bytes, size);
    }
    if (size < PREFACE_BYTES) return 0;
    begin_http2(it);
    return PREFACE_BYTES;
}

// Returns false if the connection is lost. While output waits, no input is looked at.
static bool work(struct connection *it) {
    size_t begin = 0;
    if (it->protocol == HTTP2) send_replies(it);
    for (;;) {
        if (!write_out(it)) return false;
        if (has_output(it)) break;
        size_t used = read_protocol(it, it->in + begin, it->in_size - begin);
        begin += used;
        if (used == 0 && !has_output(it)) break;
    }
    it->in_size -= begin;
    memmove(it->in, it->in + begin, it->in_size);
    if (it->in_size == IN_BYTES && !has_output(it)) fail("a request head that is too long");
    watch(it, has_output(it));
    return true;
}

static void serve(struct connection *it, uint32_t event) {
    if (event & EPOLLIN) {
        ssize_t count = recv(it->socket, it->in + it->in_size, IN_BYTES - it->in_size, 0);
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0) {
            close_connection(it);
            return;
        }
        it->in_size += (size_t)count;
    } else if (event & (EPOLLERR | EPOLLHUP)) {
        close_connection(it);
        return;
    }
    if (!work(it)) close_connection(it);
}

static void accept_connections(int listener) {
    for (;;) {
        int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) return;
        int yes = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct connection *it = socket < DESCRIPTORS_MAX ? calloc(1, sizeof *it) : NULL;
        if (it == NULL) fail("too many connections");
        it->socket = socket;
        connections[socket] = it;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};
        if (epoll_ctl(events, EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl");
    }
}

static int listen_on(int port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
    if (listen(listener, SOMAXCONN) != 0) fail("listen");
    return listener;
}

int main(int count, char **words) {
    if (count != 6) fail("usage: backend PORT SMALL LARGE LISTING MESSAGE");
    small = http1_answer(words[2]);
    large = http1_answer(words[3]);
    listing = http1_answer(words[4]);
    reply = read_file(words[5]);
    if (reply.size > FRAME_BYTES_MAX) fail("the message is too long for a frame");
    int listener = listen_on(atoi(words[1]));
    events = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (events < 0 || epoll_ctl(events, EPOLL_CTL_ADD, listener, &event) != 0) fail("epoll");
    for (;;) {
        struct epoll_event ready[EVENTS_MAX];
        int number = epoll_wait(events, ready, EVENTS_MAX, -1);
        if (number < 0 && errno != EINTR) fail("epoll_wait");
        for (int index = 0; index < number; index++) {
            int socket = ready[index].data.fd;
            if (socket == listener)
                accept_connections(listener);
            else if (connections[socket] != NULL)
                serve(connections[socket], ready[index].events);
        }
    }
}
