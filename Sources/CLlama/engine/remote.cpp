// Devices of other machines, and those of this one for others, by the engine's RPC.
#include "engine.hpp"

#include "ggml-rpc.h"

#include <cerrno>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <poll.h>
#include <set>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using address_list = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

constexpr int patience_milliseconds = 5000;
constexpr uint8_t hello_command = 14;
constexpr size_t capability_bytes = 24;

/// The first exchange of the protocol: a command, the length of what follows, and that; and the
/// length of the answer, and that.
struct __attribute__((packed)) hello_request {
    uint8_t command = hello_command;
    uint64_t bytes = capability_bytes;
    uint8_t capabilities[capability_bytes] = {};
};

struct __attribute__((packed)) hello_response {
    uint64_t bytes = 0;
    uint8_t major = 0;
    uint8_t minor = 0;
    uint8_t patch = 0;
    uint8_t padding = 0;
    uint8_t capabilities[capability_bytes] = {};
};

/// A connection that closes with its owner.
struct connection {
    int descriptor = -1;

    explicit connection(int descriptor) : descriptor(descriptor) {}
    connection(const connection &) = delete;
    ~connection() {
        if (descriptor >= 0) close(descriptor);
    }
};

address_list addresses_of(const std::string &endpoint) {
    const auto colon = endpoint.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == endpoint.size()) {
        throw invalid_call("'" + endpoint + "' is no HOST:PORT");
    }
    addrinfo hints{};
    // The engine knows no other.
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo *found = nullptr;
    const auto host = endpoint.substr(0, colon);
    const auto status =
        getaddrinfo(host.c_str(), endpoint.substr(colon + 1).c_str(), &hints, &found);
    if (status != 0) {
        throw std::runtime_error(std::string("its address is not known: ") + gai_strerror(status));
    }
    return address_list(found, freeaddrinfo);
}

/// Waits until a connection that was begun stands.
void await_connection(int descriptor) {
    pollfd waiting{descriptor, POLLOUT, 0};
    if (poll(&waiting, 1, patience_milliseconds) != 1) {
        throw std::runtime_error("it cannot be reached within 5 s");
    }
    int status = 0;
    socklen_t size = sizeof status;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &status, &size) != 0) status = errno;
    if (status != 0) throw std::runtime_error(std::strerror(status));
}

/// Receives all of `size` bytes.
void receive(int descriptor, void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        pollfd waiting{descriptor, POLLIN, 0};
        if (poll(&waiting, 1, patience_milliseconds) != 1) {
            throw std::runtime_error(
                "it does not answer within 5 s (it serves one node at a time)");
        }
        const auto count =
            recv(descriptor, static_cast<char *>(bytes) + done, size - done, MSG_DONTWAIT);
        if (count <= 0) throw std::runtime_error("what answers is no RPC server of llama.cpp");
        done += static_cast<size_t>(count);
    }
}

/// Throws unless a server of the same protocol answers: the engine would end the process.
void check_server(const std::string &endpoint) {
    const auto addresses = addresses_of(endpoint);
    const connection server(
        socket(addresses->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (server.descriptor < 0) throw std::runtime_error(std::strerror(errno));
    if (connect(server.descriptor, addresses->ai_addr, addresses->ai_addrlen) != 0) {
        if (errno != EINPROGRESS) throw std::runtime_error(std::strerror(errno));
        await_connection(server.descriptor);
    }
    const hello_request request;
    if (send(server.descriptor, &request, sizeof request, MSG_NOSIGNAL) !=
        static_cast<ssize_t>(sizeof request)) {
        throw std::runtime_error("it closed the connection");
    }
    hello_response response;
    receive(server.descriptor, &response, sizeof response);
    if (response.bytes != sizeof response - sizeof response.bytes) {
        throw std::runtime_error("what answers is no RPC server of llama.cpp");
    }
    if (response.major != RPC_PROTO_MAJOR_VERSION || response.minor > RPC_PROTO_MINOR_VERSION) {
        throw std::runtime_error(
            "it speaks version " + std::to_string(response.major) + "." +
            std::to_string(response.minor) + " of the protocol, and this " +
            std::to_string(RPC_PROTO_MAJOR_VERSION) + "." +
            std::to_string(RPC_PROTO_MINOR_VERSION));
    }
}

/// A function of the RPC backend, which may be in a file of its own.
template <typename Function>
Function remote_function(const char *name) {
    const auto registry = ggml_backend_reg_by_name("RPC");
    if (registry == nullptr) throw invalid_call("it was built without its RPC backend");
    const auto found =
        reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(registry, name));
    if (found == nullptr) throw invalid_call("its RPC backend is another release's");
    return found;
}

int32_t add_remote_devices(const char *endpoint, martlet_llama_error *error) {
    return guarded(error, [&]() -> int32_t {
        const auto add = remote_function<decltype(&ggml_backend_rpc_add_server)>(
            "ggml_backend_rpc_add_server");
        // Those that were added before serve this process, and would not answer another connection.
        static std::mutex mutex;
        static std::set<std::string> known;
        const std::lock_guard<std::mutex> lock(mutex);
        if (known.count(endpoint) > 0) return MARTLET_LLAMA_OK;
        check_server(endpoint);
        const error_watch watch;
        const auto added = add(endpoint);
        if (added == nullptr) throw std::runtime_error(watch.reason("it has no devices"));
        ggml_backend_register(added);
        known.insert(endpoint);
        return MARTLET_LLAMA_OK;
    });
}

/// GPUs where there are any, else the processor.
std::vector<ggml_backend_dev_t> devices_for_others() {
    std::vector<ggml_backend_dev_t> found;
    for (size_t index = 0; index < ggml_backend_dev_count(); index++) {
        const auto device = ggml_backend_dev_get(index);
        if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_GPU) found.push_back(device);
    }
    if (found.empty()) {
        const auto processor = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
        if (processor != nullptr) found.push_back(processor);
    }
    return found;
}

int32_t serve_devices(const char *endpoint, int32_t threads, martlet_llama_error *error) {
    return guarded(error, [&]() -> int32_t {
        if (threads < 1) throw invalid_call("there must be a thread");
        const auto serve = remote_function<decltype(&ggml_backend_rpc_start_server)>(
            "ggml_backend_rpc_start_server");
        auto devices = devices_for_others();
        if (devices.empty()) throw std::runtime_error("there is nothing to compute with");
        const error_watch watch;
        serve(endpoint, nullptr, static_cast<size_t>(threads), devices.size(), devices.data());
        throw std::runtime_error(
            watch.reason("the address is in use, or none of this machine's"));
    });
}

}  // namespace

void add_remote_functions(martlet_llama &table) {
    table.add_remote_devices = add_remote_devices;
    table.serve_devices = serve_devices;
}
