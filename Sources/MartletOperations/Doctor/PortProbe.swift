import Foundation

/// Why nobody can listen on a port of an address of this machine; `nil` if one can.
///
/// The port is bound for a moment, as a server would bind it.
public func portProblem(host: String, port: Int) -> String? {
    guard port != 0 else { return nil }
    #if os(Linux)
        let stream = Int32(SOCK_STREAM.rawValue)
    #else
        let stream = SOCK_STREAM
    #endif
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    hints.ai_socktype = stream
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "\(port)", &hints, &found) == 0, let address = found?.pointee else {
        return "there is no such address"
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(address.ai_family, stream, 0)
    guard descriptor >= 0 else { return String(cString: strerror(errno)) }
    defer { close(descriptor) }
    // Connections of a server that has just ended do not count.
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    guard bind(descriptor, address.ai_addr, address.ai_addrlen) == 0, listen(descriptor, 1) == 0
    else {
        return errno == EADDRINUSE ? "taken" : String(cString: strerror(errno))
    }
    return nil
}
