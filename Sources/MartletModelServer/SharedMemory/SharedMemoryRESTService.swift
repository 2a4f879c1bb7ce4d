internal import Foundation
import MartletCore
import MartletTensors
import MartletTransport

/// The Open Inference Protocol's extension `system_shared_memory` over REST.
struct SharedMemoryRESTService: RESTService {
    private enum Action {
        case status
        case register(String)
        case unregister
    }

    let lender: SharedMemoryLender
    let limits: Limits

    func operation(
        method: String, path: String
    ) throws -> Operation<HTTPRequest, HTTPResponse>? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard parts.count >= 3, parts.first == "v2" else { return nil }
        let rest = Array(parts.dropFirst(2))
        switch parts.dropFirst().first {
        case "systemsharedmemory": break
        case "cudasharedmemory":
            return Operation(name: "cuda_shared_memory", lane: .control) { _, _ in
                throw ServingError(
                    .unimplemented,
                    "Shared memory of graphics processors is not supported; use "
                        + "systemsharedmemory")
            }
        default: return nil
        }
        var name: String?
        if rest.count == 3, rest[0] == "region" {
            guard let decoded = rest[1].removingPercentEncoding, !decoded.isEmpty else {
                return nil
            }
            name = decoded
        } else if rest.count != 1 {
            return nil
        }
        switch (method, rest.last, name) {
        case ("GET", "status", _): return operation("shared_memory_status", .status, name)
        case ("POST", "unregister", _):
            return operation("shared_memory_unregister", .unregister, name)
        case ("POST", "register", .some(let name)):
            return operation("shared_memory_register", .register(name), name)
        default: return nil
        }
    }

    private func operation(
        _ operation: String, _ action: Action, _ name: String?
    ) -> Operation<HTTPRequest, HTTPResponse> {
        Operation(name: operation, lane: .control) { request, _ in
            try lender.check(
                remoteAddress: request.context.remoteAddress, headers: request.headers)
            return .ready(try perform(action, name, request))
        }
    }

    private func perform(
        _ action: Action, _ name: String?, _ request: HTTPRequest
    ) throws -> HTTPResponse {
        switch action {
        case .status:
            return .json(SharedMemoryRESTService.encode(try lender.regions.status(of: name)))
        case .unregister: lender.regions.unregister(name)
        case .register(let name):
            let region = try SharedMemoryRequestJSON(request.body, limits: limits)
            try lender.regions.register(
                .init(
                    name: name, key: region.key, offset: region.offset,
                    byteCount: region.byteCount))
        }
        return HTTPResponse(status: 200)
    }

    private static func encode(_ regions: [SharedMemoryRegions.Description]) -> [UInt8] {
        var writer = JSONWriter(style: .compact)
        writer.beginArray()
        for region in regions {
            writer.beginObject()
            writer.key("name")
            writer.string(region.name)
            writer.key("key")
            writer.string(region.key)
            writer.key("offset")
            writer.integer(region.offset)
            writer.key("byte_size")
            writer.integer(region.byteCount)
            writer.endObject()
        }
        writer.endArray()
        return writer.bytes
    }
}
